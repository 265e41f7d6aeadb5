// Command receiver is a merchant's end of the notifications: it answers every
// POST with 200 and counts. It listens on several loopback ports, because the
// gateway takes each for a receiver of its own. Its first line of output is a
// JSON list of the addresses; it ends when its input does.
//
// GET /count answers with the counts so far, GET /reset sets them to zero.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	load "github.com/thungan/thungan/test/load"
)

func main() {
	ports := flag.Int("ports", 4, "how many ports to listen on")
	flag.Parse()
	if err := run(*ports); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func run(ports int) error {
	r := &receiver{}
	var addresses []string
	for range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addresses = append(addresses, ln.Addr().String())
		go r.accept(ln)
	}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

type receiver struct {
	mu   sync.Mutex
	seen load.Deliveries
}

func (r *receiver) accept(ln net.Listener) {
	for {
		raw, err := ln.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "receiver:", err)
			os.Exit(1)
		}
		go r.serve(raw)
	}
}

// serve answers on one connection until the other end closes it.
func (r *receiver) serve(raw net.Conn) {
	c := load.NewConn(raw)
	defer c.Close()
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return
		}
		if _, err := c.Write(r.answer(string(m.First))); err != nil || m.Close {
			return
		}
	}
}

func (r *receiver) answer(request string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	body := []byte("{}")
	switch request {
	case "GET /count HTTP/1.1":
		body, _ = json.Marshal(r.seen) // three numbers can always be encoded
	case "GET /reset HTTP/1.1":
		r.seen = load.Deliveries{}
	default:
		now := time.Now().UnixNano()
		if r.seen.Count++; r.seen.FirstNS == 0 {
			r.seen.FirstNS = now
		}
		r.seen.LastNS = now
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
