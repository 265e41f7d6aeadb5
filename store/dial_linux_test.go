package store

import (
	"net"
	"syscall"
	"testing"
)

// A server that vanishes without a word, as one that loses power does, is given
// up in seconds: the commits that wait for it hold everybody's payments up.
func TestConnectionsToVanishedServersEnd(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := newDialer().DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(name string, level, number, want int) {
		err := raw.Control(func(fd uintptr) {
			if got, err := syscall.GetsockoptInt(int(fd), level, number); got != want || err != nil {
				t.Errorf("%s is %d (%v), want %d", name, got, err, want)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	option("what is unanswered ends after, in ms,", syscall.IPPROTO_TCP, tcpUserTimeout, 15_000)
	option("keep-alive", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	option("it is asked when idle for, in s,", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 10)
}
