// Package id makes every identifier and secret the gateway hands out: time
// ordered row ids, transfer memo codes, virtual account numbers, API keys and
// tokens.
package id

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

// ErrInvalid means a text is not a UUID of version 7.
var ErrInvalid = errors.New("id: not a UUID of version 7")

// MaxAccount is the longest account number, in characters, that VietQR can
// carry (NAPAS, EMVCo tag 38: consumer id up to 19).
const MaxAccount = 19

// VirtualDigits is the length of the random part of a virtual account.
const VirtualDigits = 12

// minSecret is the least number of random bytes in a secret: 128 bits.
const minSecret = 16

// Source makes ids. It is safe for concurrent use. A Source panics when its
// reader fails, because no id is better than a guessable one; crypto/rand's
// Reader never fails.
type Source struct {
	clock clock.Clock

	mu      sync.Mutex
	random  io.Reader
	millis  int64
	counter uint16
	scratch [16]byte // what was read last, so that reading needs no memory of its own
}

// NewSource makes ids from random, which is crypto/rand's Reader outside tests,
// and c.
func NewSource(random io.Reader, c clock.Clock) *Source {
	return &Source{random: random, clock: c}
}

// New is a fresh UUID of version 7 (RFC 9562) in its 36 character lower case
// form. Each id of one Source sorts after the one before, even within one
// millisecond and when the clock steps back.
func (s *Source) New() string {
	s.mu.Lock()
	s.read(s.scratch[6:])
	u := s.scratch
	millis, counter := s.tick(binary.BigEndian.Uint16(u[6:]))
	s.mu.Unlock()

	binary.BigEndian.PutUint64(u[:8], uint64(millis)<<16|7<<12|uint64(counter))
	u[8] = u[8]&0x3f | 0x80
	return format(u)
}

// tick gives the next pair of millisecond and 12 bit counter. A new millisecond
// starts at a random value below half of the counter's range; a counter that
// runs over borrows the next millisecond (RFC 9562, 6.2, method 1).
func (s *Source) tick(seed uint16) (int64, uint16) {
	now := clock.Millis(s.clock.Now())
	switch {
	case now > s.millis:
		s.millis, s.counter = now, seed&0x7ff
	case s.counter < 0xfff:
		s.counter++
	default:
		s.millis, s.counter = s.millis+1, seed&0x7ff
	}
	return s.millis, s.counter
}

func format(u [16]byte) string {
	var out [36]byte
	hex.Encode(out[:8], u[:4])
	hex.Encode(out[9:13], u[4:6])
	hex.Encode(out[14:18], u[6:8])
	hex.Encode(out[19:23], u[8:10])
	hex.Encode(out[24:], u[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// Parse checks that text is a UUID of version 7 in its 36 character form, in
// either case, and gives it in lower case. Otherwise it returns ErrInvalid.
func Parse(text string) (string, error) {
	u, err := decode(text)
	if err != nil {
		return "", err
	}
	return format(u), nil
}

// Time is the moment, in whole milliseconds and UTC, at which an id was made.
func Time(text string) (time.Time, error) {
	u, err := decode(text)
	if err != nil {
		return time.Time{}, err
	}
	return clock.FromMillis(int64(binary.BigEndian.Uint64(u[:8]) >> 16)), nil
}

func decode(text string) ([16]byte, error) {
	var u [16]byte
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return u, ErrInvalid
	}
	digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return u, ErrInvalid
	}
	if u[6]>>4 != 7 || u[8]>>6 != 2 {
		return u, ErrInvalid
	}
	return u, nil
}

// VirtualAccount is prefix, which the bank assigned, and 12 random digits. The
// prefix is 1 to 7 digits or upper case letters, so that the number is at most
// 19 characters. The caller checks that the number is not in use.
func (s *Source) VirtualAccount(prefix string) (string, error) {
	if prefix == "" || len(prefix)+VirtualDigits > MaxAccount {
		return "", fmt.Errorf("id: virtual account prefix must have 1 to %d characters, has %d",
			MaxAccount-VirtualDigits, len(prefix))
	}
	for i := range len(prefix) {
		if c := prefix[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return "", errors.New("id: virtual account prefix may have only digits and upper case letters")
		}
	}
	return prefix + s.digits(VirtualDigits), nil
}

// digits is n random decimal digits, each equally likely.
func (s *Source) digits(n int) string {
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range s.bytes(n) {
			// 250 is the largest multiple of ten in a byte; the rest
			// would favour the low digits.
			if b < 250 && len(out) < n {
				out = append(out, '0'+b%10)
			}
		}
	}
	return string(out)
}

// Key is an API key: 32 upper case hexadecimal digits, 128 random bits.
func (s *Source) Key() string { return s.Secret(minSecret) }

// Secret is n random bytes as upper case hexadecimal digits. Below 16, n counts
// as 16.
func (s *Source) Secret(n int) string {
	return strings.ToUpper(hex.EncodeToString(s.bytes(max(n, minSecret))))
}

// Token is n random bytes in URL-safe base64 without padding, for links and
// cookies. Below 16, n counts as 16.
func (s *Source) Token(n int) string {
	return base64.RawURLEncoding.EncodeToString(s.bytes(max(n, minSecret)))
}

func (s *Source) bytes(n int) []byte {
	b := make([]byte, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read(b)
	return b
}

// read fills b; the caller holds the lock.
func (s *Source) read(b []byte) {
	if _, err := io.ReadFull(s.random, b); err != nil {
		panic("id: no randomness: " + err.Error())
	}
}
