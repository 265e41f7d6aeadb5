// Command gen loads a gateway on this machine and prints one line of JSON with
// what it saw. It is a process of its own, so that its CPU time is known and its
// garbage collection stops nobody else.
//
// Modes: create (Paykit creates), lookup (retrieve-payment), page (payment
// pages), path (creates, and the bank credits that pay them).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	load "github.com/thungan/thungan/test/load"
)

type options struct {
	mode        string
	site        load.Site
	connections int
	duration    time.Duration
	warmUp      time.Duration
	count       int64 // units to do, 0 for as many as fit
	tag         string
	known       int64 // lookup: how many payments have the tag
	batch       int   // path: payments to a bank message
	hot         bool  // only the first merchant
}

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) (load.Result, error) {
	o, err := parse(args)
	if err != nil {
		return load.Result{}, err
	}
	m, ok := modes[o.mode]
	if !ok {
		return load.Result{}, fmt.Errorf("mode %q is none of create, lookup, page, path", o.mode)
	}
	return drive(o, m)
}

func parse(args []string) (options, error) {
	var o options
	var site string
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.StringVar(&o.mode, "mode", "create", "create, lookup, page or path")
	flags.StringVar(&site, "site", "", "JSON `file` with the address and the merchants' keys")
	flags.IntVar(&o.connections, "c", 16, "connections, 1 to 4096")
	flags.DurationVar(&o.duration, "d", 5*time.Second, "how long to measure, at most an hour")
	flags.DurationVar(&o.warmUp, "warmup", 0, "how long to run before that")
	flags.Int64Var(&o.count, "n", 0, "end after so many units, warm-up included")
	flags.StringVar(&o.tag, "tag", "", "what the payments' ids begin with; a new one each time, or an old one to look up")
	flags.Int64Var(&o.known, "known", 0, "lookup: how many payments of the tag there are")
	flags.IntVar(&o.batch, "batch", 1, "path: payments to one bank message, 1 to 500")
	flags.BoolVar(&o.hot, "hot", false, "only the site's first merchant, instead of all in turn")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if err := o.check(); err != nil {
		return o, err
	}
	var err error
	o.site, err = load.ReadSite(site)
	if o.hot && err == nil {
		o.site.Merchants = o.site.Merchants[:1]
	}
	return o, err
}

func (o options) check() error {
	switch {
	case o.connections < 1 || o.connections > 4096:
		return fmt.Errorf("-c %d is not 1 to 4096", o.connections)
	case o.duration <= 0 || o.duration > time.Hour:
		return fmt.Errorf("-d %s is not more than nothing and at most an hour", o.duration)
	case o.warmUp < 0 || o.warmUp > time.Hour:
		return fmt.Errorf("-warmup %s is not at most an hour", o.warmUp)
	case o.count < 0 || o.count > 999_999_999:
		return fmt.Errorf("-n %d is not 0 to 999999999", o.count)
	case o.batch < 1 || o.batch > 500:
		return fmt.Errorf("-batch %d is not 1 to 500", o.batch)
	case o.mode == "lookup" && o.known < 1:
		return fmt.Errorf("-mode lookup needs -known")
	}
	return load.CheckTag(o.tag)
}
