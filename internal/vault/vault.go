// Package vault keeps secrets at rest: what the gateway must read again, such
// as signing keys, is stored sealed with AES-256-GCM.
//
// A key file has one line per key, "id:base64key". An id is 1 to 32 letters,
// digits, dashes or underscores; a key is 32 bytes in standard base64. Empty
// lines and lines that start with # are passed over. The LAST line is the
// primary key, which seals; all lines open. To rotate, append a line (Rotate
// does), restart every node, reseal what NeedsReseal names. The first line is
// never removed: Derive depends on it.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	version  = "v1"
	keyBytes = 32
	maxKeyID = 32
)

// Errors of Open and Reseal.
var (
	// ErrTampered: the text was changed, cut, or sealed for another context
	// or with another key of the same id. Which of them cannot be told.
	ErrTampered = errors.New("vault: sealed text was altered or belongs to another context")
	// ErrFormat: the text is no sealed text at all.
	ErrFormat = errors.New("vault: not a sealed text")
)

// UnknownKeyError means a text was sealed with a key the keyring does not have.
type UnknownKeyError struct{ ID string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("vault: key %q is not in the keyring", e.ID)
}

// Keyring holds the keys. It never changes and is safe for concurrent use.
type Keyring struct {
	keys    map[string]cipher.AEAD
	primary string
	first   []byte
}

// Primary is the id of the key that seals.
func (k *Keyring) Primary() string { return k.primary }

// IDs are the ids of all keys, in no order.
func (k *Keyring) IDs() []string { return slices.Collect(maps.Keys(k.keys)) }

// Prefix is how every text that the key of that id has sealed begins.
func Prefix(id string) string { return version + ":" + id + ":" }

// Seal encrypts plaintext into the text "v1:keyid:base64(nonce|ciphertext)".
// context says what the secret is and whose, for example "merchant/42/hash_key";
// only the same context opens it, so a row's secret cannot be moved to another
// row. One key seals at most 2^32 texts (the nonce is random, 96 bits).
func (k *Keyring) Seal(plaintext []byte, context string) (string, error) {
	aead, ok := k.keys[k.primary]
	if !ok {
		return "", errors.New("vault: the keyring is empty")
	}
	box := aead.Seal(nil, nil, plaintext, additional(k.primary, context))
	return version + ":" + k.primary + ":" + base64.RawStdEncoding.EncodeToString(box), nil
}

// Open decrypts what Seal made for the same context. It returns ErrFormat,
// ErrTampered or an *UnknownKeyError.
func (k *Keyring) Open(sealed, context string) ([]byte, error) {
	id, box, err := split(sealed)
	if err != nil {
		return nil, err
	}
	aead, ok := k.keys[id]
	if !ok {
		return nil, &UnknownKeyError{ID: id}
	}
	plaintext, err := aead.Open(nil, nil, box, additional(id, context))
	if err != nil {
		return nil, ErrTampered
	}
	return plaintext, nil
}

// NeedsReseal reports whether sealed was made with another key than the
// primary one. A text that is not sealed needs no resealing: it cannot be.
func (k *Keyring) NeedsReseal(sealed string) bool {
	id, _, err := split(sealed)
	return err == nil && id != k.primary
}

// Reseal opens a text and seals it again with the primary key and a new nonce.
// Its errors are those of Open.
func (k *Keyring) Reseal(sealed, context string) (string, error) {
	plaintext, err := k.Open(sealed, context)
	if err != nil {
		return "", err
	}
	return k.Seal(plaintext, context)
}

// Derive is a 32 byte key for one purpose, named by label. It comes from the
// FIRST key, so it stays the same when keys are appended.
func (k *Keyring) Derive(label string) []byte {
	return subkey(k.first, "derive:"+label)
}

// additional binds the header too, so that no part of the text can be changed.
func additional(id, context string) []byte {
	return []byte(version + ":" + id + ":" + context)
}

func split(sealed string) (id string, box []byte, err error) {
	rest, ok := strings.CutPrefix(sealed, version+":")
	if !ok {
		return "", nil, ErrFormat
	}
	id, text, ok := strings.Cut(rest, ":")
	if !ok || !validID(id) {
		return "", nil, ErrFormat
	}
	box, err = base64.RawStdEncoding.Strict().DecodeString(text)
	// base64 would pass over line ends, and one secret would have many texts.
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return "", nil, ErrFormat
	}
	return id, box, nil
}

// newKeyring takes keys in the order of the file.
func newKeyring(ids []string, keys map[string][]byte) (*Keyring, error) {
	k := &Keyring{
		keys:    make(map[string]cipher.AEAD, len(ids)),
		primary: ids[len(ids)-1],
		first:   keys[ids[0]],
	}
	for id, key := range keys {
		// A subkey, so that the same bytes never serve two algorithms.
		block, err := aes.NewCipher(subkey(key, "seal"))
		if err != nil {
			return nil, fmt.Errorf("vault: key %q: %w", id, err)
		}
		// The nonce comes from the system's generator and never from an
		// argument: a repeated nonce would give the key away.
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("vault: key %q: %w", id, err)
		}
		k.keys[id] = aead
	}
	return k, nil
}

func subkey(key []byte, purpose string) []byte {
	out, err := hkdf.Key(sha256.New, key, nil, "thungan vault v1 "+purpose, keyBytes)
	if err != nil {
		// Only a longer output or a refused hash can fail.
		panic("vault: " + err.Error())
	}
	return out
}
