// Package auth compares keys without telling anything by the time it takes, and
// slows down those who guess.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
)

// domain keeps these hashes apart from any other SHA-256 of the same text.
const domain = "thungan auth v1\x00"

// Hash is the form in which a machine's key is stored: SHA-256 in 64 lower case
// hexadecimal digits.
//
// It is for keys the gateway made, with 128 random bits or more. Such a key
// cannot be guessed however fast the hash is, and it is checked on every
// request, where argon2 would cost a hundred milliseconds and many megabytes
// and so hand a stranger a way to overload the gateway. A person's password is
// another matter: it needs argon2.
func Hash(secret string) string {
	sum := digest(secret)
	return hex.EncodeToString(sum[:])
}

// Equal reports whether hash is the Hash of secret. The time does not depend on
// where they differ.
func Equal(secret, hash string) bool {
	return subtle.ConstantTimeCompare([]byte(Hash(secret)), []byte(hash)) == 1
}

// SameString reports whether a and b are the same text, in a time that tells
// nothing about where they differ or how long the expected one is: it compares
// digests.
func SameString(a, b string) bool {
	x, y := digest(a), digest(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func digest(s string) Digest { return DigestOf(s) }

// Digest is a SHA-256.
type Digest [sha256.Size]byte

// DigestOf is one digest of several texts, which may be secret. The same
// characters shared out differently give another one.
func DigestOf(texts ...string) Digest {
	var room [512]byte // enough for keys, so that nothing is allocated
	b := append(room[:0], domain...)
	for _, s := range texts {
		if len(texts) > 1 {
			b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		}
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}
