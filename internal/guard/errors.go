package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Kind is what went wrong.
type Kind string

// The kinds of Error.
const (
	Refused Kind = "refused" // we do not dial that address
	Timeout Kind = "timeout" // no full answer in time
	TLS     Kind = "tls"     // no secure connection
	Other   Kind = "other"   // no such host, connection refused or broken, no HTTP
)

// Error is every error of a Client.
type Error struct {
	Kind Kind
	Addr netip.AddrPort // the refused address; zero when there was none yet
	Rule string         // why it was refused

	text  string
	cause error
}

// Safe is a short text for the record of a delivery. It has no URL in it, and
// nothing that the other side wrote.
func (e *Error) Safe() string {
	if e.Kind != Refused {
		return e.text
	}
	if !e.Addr.IsValid() {
		return "address refused: " + e.Rule
	}
	return "address " + e.Addr.String() + " refused: " + e.Rule
}

func (e *Error) Error() string { return "guard: " + e.Safe() }

// Unwrap gives the cause. Its text may hold the URL: keep it out of records.
func (e *Error) Unwrap() error { return e.cause }

// classify makes an *Error of what net/http returned. ctx is the caller's
// context, without our own time limit.
func classify(ctx context.Context, err error) error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return &Error{Kind: Other, text: "given up by the gateway", cause: err}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return &Error{Kind: Timeout, text: "no full answer in time", cause: err}
	}
	if text := tlsText(err); text != "" {
		return &Error{Kind: TLS, text: text, cause: err}
	}
	return &Error{Kind: Other, text: otherText(err), cause: err}
}

func tlsText(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "TLS: the certificate is for another host"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "TLS: the certificate's issuer is not trusted"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return "TLS: the certificate is expired or not yet valid"
		}
		return "TLS: the certificate is not valid"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "TLS: the certificate is not valid"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "TLS: the server does not speak TLS"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok || strings.Contains(err.Error(), "tls: ") {
		return "TLS: no agreement with the server"
	}
	// net/http has no type for this answer to a TLS greeting.
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return "TLS: the server does not speak TLS"
	}
	return ""
}

func otherText(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "host name not found"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "host not reachable"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection broken"
	}
	return "no proper HTTP answer"
}
