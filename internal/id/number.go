package id

import "encoding/binary"

// Digits is n random decimal digits, each equally likely. It names things; it
// protects nothing.
func (s *Source) Digits(n int) string { return s.digits(n) }

// Low24 is a random number below 2^24, for ids that are made of a time and a
// few bits more.
func (s *Source) Low24() uint32 {
	b := s.bytes(4)
	return binary.BigEndian.Uint32(b) & 0xffffff
}
