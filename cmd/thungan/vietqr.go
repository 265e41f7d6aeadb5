package main

import (
	"os"

	"github.com/thungan/thungan/rail/vietqr"
)

type vietQRCommand struct {
	Encode encodeCommand `cmd:"" help:"Read JSON lines from standard input and print one payload for each."`
	Decode decodeCommand `cmd:"" help:"Read payloads from standard input, one a line, and print a JSON object for each."`
}

type encodeCommand struct{}

func (encodeCommand) Help() string {
	return `Each line is an object such as
  {"bin": "970436", "account": "0011001234567", "amount": 50000, "memo": "TG1A2B3C4D5EF"}
with the keys bin, account, amount, memo, bill_number, terminal, merchant_name,
city, mcc and dynamic. A line that cannot be encoded prints {"error": ...}.`
}

func (encodeCommand) Run() error { return vietqr.EncodeLines(os.Stdin, os.Stdout) }

type decodeCommand struct{}

func (decodeCommand) Help() string {
	return `The objects have the keys of "vietqr encode", and crc_ok and warnings. A line that
cannot be read as VietQR prints {"error": ...}.`
}

func (decodeCommand) Run() error { return vietqr.DecodeLines(os.Stdin, os.Stdout) }
