package vietqr_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/thungan/thungan/rail/vietqr"
)

func Example() {
	bank, _ := vietqr.LookupBIN("970436")
	payload, err := vietqr.Encode(vietqr.Payload{
		Dynamic: true,
		BIN:     bank.BIN,
		Account: "0011012345678",
		Amount:  180000,
		Memo:    vietqr.Unaccent("Đơn hàng TG4K7Q2M"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload)

	p, warnings, err := vietqr.DecodeVerified(payload)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bank.ShortName, p.Account, p.Amount, p.Memo, len(warnings))
	// Output:
	// 00020101021238570010A00000072701270006970436011300110123456780208QRIBFTTA530370454061800005802VN62210817Don hang TG4K7Q2M630416B6
	// Vietcombank 0011012345678 180000 Don hang TG4K7Q2M 0
}

func ExampleEncode_refused() {
	_, err := vietqr.Encode(vietqr.Payload{BIN: "970448", Account: "PKTTEST1234567890A", Memo: "Thanh toan cho PKTTEST1234567890A"})
	fmt.Println(err)
	// Output: vietqr: memo (62.08) is 33 characters long, the limit is 25
}

func ExampleDecodeLines() {
	lines := strings.NewReader("00020101021138570010A00000072701270006970403011300110123456780208QRIBFTTA53037045802VN63049E6F\n\n")
	if err := vietqr.DecodeLines(lines, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"bin":"970403","bank":"Sacombank","account":"0011012345678","service":"QRIBFTTA","amount":0,"memo":"","bill_number":"","terminal":"","merchant_name":"","city":"","mcc":"","dynamic":false,"crc_ok":true,"warnings":[]}
	// {"error":"the line is empty"}
}
