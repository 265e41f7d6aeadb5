package vault

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func key(fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, keyBytes))
}

func ring(t *testing.T, lines ...string) *Keyring {
	t.Helper()
	k, err := FromEnv(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealOpen(t *testing.T) {
	k := ring(t, "a:"+key(1))
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOf(rapid.Byte()).Draw(t, "secret")
		context := rapid.String().Draw(t, "context")
		sealed, err := k.Seal(secret, context)
		if err != nil || !strings.HasPrefix(sealed, "v1:a:") {
			t.Fatalf("%q, %v", sealed, err)
		}
		got, err := k.Open(sealed, context)
		if err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%q, %v", got, err)
		}
		if _, err := k.Open(sealed, context+"x"); !errors.Is(err, ErrTampered) {
			t.Fatalf("opened in another context: %v", err)
		}
		if again, _ := k.Seal(secret, context); again == sealed {
			t.Fatal("the same nonce twice")
		}
	})
}

func TestOpenNoticesEveryChangedCharacter(t *testing.T) {
	k := ring(t, "a:"+key(1), "b:"+key(2))
	sealed, err := k.Seal([]byte("bí mật"), "merchant/1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for _, c := range "Aa1:" {
			changed := sealed[:i] + string(c) + sealed[i+1:]
			if changed == sealed {
				continue
			}
			if _, err := k.Open(changed, "merchant/1"); err == nil {
				t.Errorf("opened %q", changed)
			}
		}
		if _, err := k.Open(sealed[:i], "merchant/1"); err == nil {
			t.Errorf("opened %q", sealed[:i])
		}
	}
}

func TestOpenErrors(t *testing.T) {
	k := ring(t, "a:"+key(1), "b:"+key(2))
	sealed, _ := k.Seal([]byte("secret"), "c")
	body := sealed[len("v1:b:"):]
	for _, tc := range []struct {
		name, sealed string
		want         error
	}{
		{"empty", "", ErrFormat},
		{"no version", "b:" + body, ErrFormat},
		{"later version", "v2:b:" + body, ErrFormat},
		{"no key id", "v1::" + body, ErrFormat},
		{"odd key id", "v1:b!:" + body, ErrFormat},
		{"not base64", "v1:b:" + body + "*", ErrFormat},
		{"line end", sealed + "\n", ErrFormat},
		{"empty box", "v1:b:", ErrTampered},
		{"cut", "v1:b:" + body[:16], ErrTampered},
		{"another key", "v1:a:" + body, ErrTampered},
	} {
		_, err := k.Open(tc.sealed, "c")
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	var unknown *UnknownKeyError
	if _, err := k.Open("v1:zz:"+body, "c"); !errors.As(err, &unknown) || unknown.ID != "zz" {
		t.Errorf("unknown key: %v", err)
	}
}

func TestRotation(t *testing.T) {
	old := ring(t, "a:"+key(1))
	sealed, _ := old.Seal([]byte("secret"), "c")
	now := ring(t, "a:"+key(1), "b:"+key(2))
	if now.Primary() != "b" || !now.NeedsReseal(sealed) || old.NeedsReseal(sealed) || now.NeedsReseal("plain") {
		t.Error("NeedsReseal")
	}
	fresh, err := now.Reseal(sealed, "c")
	if err != nil || !strings.HasPrefix(fresh, "v1:b:") || now.NeedsReseal(fresh) {
		t.Fatalf("%q, %v", fresh, err)
	}
	if got, err := now.Open(fresh, "c"); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := now.Reseal(sealed, "other"); !errors.Is(err, ErrTampered) {
		t.Errorf("resealed in another context: %v", err)
	}
	if !bytes.Equal(old.Derive("cookie"), now.Derive("cookie")) {
		t.Error("Derive changed when a key was appended")
	}
}

func TestDerive(t *testing.T) {
	k := ring(t, "a:"+key(1))
	one, two := k.Derive("one"), k.Derive("two")
	if len(one) != 32 || bytes.Equal(one, two) || bytes.Equal(one, bytes.Repeat([]byte{1}, 32)) {
		t.Errorf("%x %x", one, two)
	}
	if bytes.Equal(one, ring(t, "a:"+key(2)).Derive("one")) {
		t.Error("two keys derive the same")
	}
}

func TestFromEnv(t *testing.T) {
	if k := ring(t, "# keys", "", " a:"+key(1)+" \r", "b:"+key(2)); k.Primary() != "b" {
		t.Error(k.Primary())
	}
	if k := ring(t, "a:"+key(1)+","+"b:"+key(2)); k.Primary() != "b" {
		t.Error(k.Primary())
	}
	for name, bad := range map[string]string{
		"empty":      "",
		"comment":    "# only",
		"no id":      key(1),
		"empty id":   ":" + key(1),
		"odd id":     "ké:" + key(1),
		"long id":    strings.Repeat("k", 33) + ":" + key(1),
		"not base64": "a:!!!",
		"short key":  "a:" + base64.StdEncoding.EncodeToString(make([]byte, 16)),
		"twice":      "a:" + key(1) + "\na:" + key(2),
		"not UTF-8":  "\xff:" + key(1),
	} {
		_, err := FromEnv(bad)
		if err == nil {
			t.Errorf("%s passed", name)
		} else if strings.Contains(err.Error(), key(1)) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := Generate(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := Generate(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Generate: %v", err)
	}
	before, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := before.Seal([]byte("secret"), "c")

	// An editor may have left no line end.
	data, _ := os.ReadFile(path)
	if err := os.WriteFile(path, bytes.TrimSpace(data), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Load(path)
	if err != nil || after.Primary() != id {
		t.Fatalf("%v, %v", after, err)
	}
	if got, err := after.Open(sealed, "c"); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("loaded a folder")
	}
	if _, err := Rotate(path); err == nil {
		t.Error("rotated a missing file")
	}
	if err := Generate(filepath.Join(dir, "no", "keys")); err == nil {
		t.Error("generated into a missing folder")
	}
	if err := Generate(path); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]error{0o644: ErrPermissions, 0o602: ErrPermissions, 0o640: nil, 0o400: nil} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, want) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("#\n"), maxKeyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o600)
	if _, err := Load(path); err == nil {
		t.Error("loaded a huge file")
	}
}
