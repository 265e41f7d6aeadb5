package vault

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxKeyFile is the largest key file, in bytes: about a thousand keys.
const maxKeyFile = 64 * 1024

// ErrPermissions means everyone on the machine can read or change the key file.
var ErrPermissions = errors.New("vault: key file is open to everyone; use mode 0600, or 0640 for a group")

// Generate makes a key file with one fresh key, mode 0600. It fails with
// fs.ErrExist when the file is there already: keys are never overwritten.
func Generate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: make key file: %w", err)
	}
	_, line := freshKey()
	if err := write(f, line+"\n"); err != nil {
		return err
	}
	// The new name must survive a power failure as well: nothing sealed with
	// a lost key can be opened again.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("vault: make key file: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Rotate appends a fresh key to a key file, which makes it the primary one, and
// gives its id. A keyring loaded earlier does not change.
func Rotate(path string) (id string, err error) {
	if _, err := Load(path); err != nil {
		return "", err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("vault: rotate: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return "", fmt.Errorf("vault: rotate: %w", err)
	}
	id, line := freshKey()
	if !strings.HasSuffix(string(old), "\n") {
		line = "\n" + line
	}
	return id, write(f, line+"\n")
}

// Load reads a key file. It returns ErrPermissions when users outside the
// file's owner and group can reach it.
func Load(path string) (*Keyring, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("vault: load keys: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("vault: load keys: %s is not a file", path)
	case info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("%w: %s", ErrPermissions, path)
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("vault: load keys: %s is larger than %d bytes", path, maxKeyFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("vault: load keys: %w", err)
	}
	return parse(strings.Split(string(data), "\n"))
}

// FromEnv reads the keys from the value of an environment variable: the lines
// of a key file, set apart by line ends or, where those cannot be written, by
// commas.
func FromEnv(value string) (*Keyring, error) {
	return parse(strings.FieldsFunc(value, func(c rune) bool { return c == '\n' || c == ',' }))
}

// parse never puts a key, or what may be one, into an error.
func parse(lines []string) (*Keyring, error) {
	var ids []string
	keys := map[string][]byte{}
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, text, ok := strings.Cut(line, ":")
		if !ok || !validID(id) {
			return nil, fmt.Errorf("vault: key line %d: want id:base64key, the id 1 to %d letters, digits, - or _", i+1, maxKeyID)
		}
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("vault: key line %d: the key is not %d bytes in base64", i+1, keyBytes)
		}
		if _, twice := keys[id]; twice {
			return nil, fmt.Errorf("vault: key line %d: id %q is there twice", i+1, id)
		}
		ids, keys[id] = append(ids, id), key
	}
	if len(ids) == 0 {
		return nil, errors.New("vault: no key given")
	}
	return newKeyring(ids, keys)
}

func validID(id string) bool {
	if id == "" || len(id) > maxKeyID {
		return false
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func freshKey() (id, line string) {
	var name [4]byte
	var key [keyBytes]byte
	rand.Read(name[:]) // never fails: it ends the program instead
	rand.Read(key[:])
	id = "k" + hex.EncodeToString(name[:])
	return id, id + ":" + base64.StdEncoding.EncodeToString(key[:])
}

func write(file *os.File, text string) error {
	_, err := file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("vault: write key file: %w", err)
	}
	return nil
}
