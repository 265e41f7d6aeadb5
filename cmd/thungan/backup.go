package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/store"
)

type backupCommand struct {
	databaseFlags
	To        string   `arg:"" help:"The file to write, such as gateway-2026-11-25.age. It must not exist." placeholder:"FILE" type:"path"`
	Recipient []string `help:"Public keys that can restore it (age1...). Make a pair with 'age-keygen', or with 'thungan backup-key'." required:"" placeholder:"age1..."`
}

func (backupCommand) Help() string {
	return `Backs an SQLite gateway up while it serves: a copy of one instant, judged like
'thungan check' does, encrypted with age, and read back once before this ends.

The key file that the gateway's secrets are sealed with is not in it: keep a copy of
it elsewhere, since neither is of use without the other. PostgreSQL has tools of its
own, see docs/runbook.md.`
}

func (c backupCommand) Run(ctx context.Context) error {
	flags, err := c.resolve()
	if err != nil {
		return err
	}
	recipients := make([]age.Recipient, len(c.Recipient))
	for i, text := range c.Recipient {
		if recipients[i], err = age.ParseX25519Recipient(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("--recipient %q is no age public key: %w", text, err)
		}
	}
	// Asked first: a good backup of this morning must not make way for a failed one.
	if _, err := os.Lstat(c.To); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already, and backups are never overwritten; write to another file", c.To)
	}
	s, err := flags.openExisting(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	folder, err := os.MkdirTemp(filepath.Dir(c.To), ".thungan-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	plain := filepath.Join(folder, "thungan.db")
	if err := s.Backup(ctx, plain); err != nil {
		return err
	}
	if err := judge(ctx, plain); err != nil {
		return fmt.Errorf("the copy is not sound, nothing was written: %w", err)
	}
	size, err := encrypt(plain, c.To, recipients)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, read back and found whole\n", c.To, size)
	fmt.Println("Keep the gateway's key file elsewhere too: the backup does not have it.")
	return nil
}

// judge opens a database file and lets SQLite and the auditor look at it. Work
// that is late makes it no worse: a backup is older than an hour when it is needed.
func judge(ctx context.Context, path string) error {
	s, err := store.Open(ctx, "sqlite:"+path)
	if err != nil {
		return err
	}
	if err := s.Intact(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	report, err := auditor.Audit(ctx, s, auditor.Options{})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if !report.Sound() {
		printReport(report, "en")
		return errUnsound
	}
	return nil
}

// encrypt writes a new file for the recipients, and reads it back. To be able to,
// without anybody's private key, it makes a key for itself and forgets it. When
// it fails, it leaves no file behind but one that was there before.
func encrypt(from, to string, recipients []age.Recipient) (size int64, err error) {
	own, err := age.GenerateX25519Identity()
	if err != nil {
		return 0, err
	}
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	w, err := age.Encrypt(out, append(recipients, own.Recipient())...)
	if err != nil {
		return 0, err
	}
	written := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, written), in); err != nil {
		return 0, err
	}
	if err := errors.Join(w.Close(), out.Sync()); err != nil {
		return 0, err
	}
	if size, err = out.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	back, err := age.Decrypt(out, own)
	if err != nil {
		return 0, err
	}
	read := sha256.New()
	if _, err := io.Copy(read, back); err != nil {
		return 0, err
	}
	if hex.EncodeToString(read.Sum(nil)) != hex.EncodeToString(written.Sum(nil)) {
		return 0, errors.New("what was written cannot be read back: is the disk failing?")
	}
	return size, nil
}

type backupKeyCommand struct {
	File string `arg:"" help:"The file for the private key. It must not exist." placeholder:"FILE" type:"path"`
}

func (c backupKeyCommand) Run() error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "# public key: %s\n%s\n", identity.Recipient(), identity)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Println(identity.Recipient())
	return nil
}

type restoreCommand struct {
	From     string `arg:"" help:"The backup." placeholder:"FILE" type:"existingfile"`
	Data     string `help:"The folder to restore into; it gets thungan.db." required:"" placeholder:"DIR" type:"path"`
	Identity string `help:"The file with the private key." required:"" placeholder:"FILE" type:"existingfile" env:"-"`
}

func (restoreCommand) Help() string {
	return `Restores a backup into a folder that has no database yet, and judges it. Put the
gateway's key file beside it (DIR/key) before you serve it.`
}

func (c restoreCommand) Run(ctx context.Context) error {
	target := filepath.Join(c.Data, "thungan.db")
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already; restore into another folder, or move it away", target)
	}
	keys, err := os.Open(c.Identity)
	if err != nil {
		return err
	}
	identities, err := age.ParseIdentities(keys)
	if err := errors.Join(err, keys.Close()); err != nil {
		return fmt.Errorf("--identity: %w", err)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(c.Data, ".restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	plain := filepath.Join(folder, "thungan.db")
	if err := decrypt(c.From, plain, identities); err != nil {
		return err
	}
	if err := judge(ctx, plain); err != nil {
		return fmt.Errorf("the backup is not sound, nothing was restored: %w", err)
	}
	// Closing the last connection has folded SQLite's log into the file.
	if err := os.Rename(plain, target); err != nil {
		return err
	}
	fmt.Printf("%s is restored and sound\n", target)
	if _, err := os.Stat(filepath.Join(c.Data, "key")); errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("Put the gateway's key file at %s before you serve it.\n", filepath.Join(c.Data, "key"))
	}
	return nil
}

func decrypt(from, to string, identities []age.Identity) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	plain, err := age.Decrypt(in, identities...)
	if err != nil {
		return fmt.Errorf("%s cannot be decrypted: %w", from, err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, plain); err != nil {
		err = fmt.Errorf("%s is damaged or cut short: %w", from, err)
	}
	return errors.Join(err, out.Sync(), out.Close())
}

type copyCommand struct {
	From string `arg:"" help:"The database to copy: sqlite:PATH or postgres://..." placeholder:"FROM"`
	To   string `arg:"" help:"The new one, empty." placeholder:"TO"`
}

func (copyCommand) Help() string {
	return `Moves a gateway from SQLite to PostgreSQL or back: everything, in one transaction,
judged on either side like 'thungan check' does. Stop the gateway first: what it
writes meanwhile would be left behind. The key file stays the same.`
}

func (c copyCommand) Run(ctx context.Context) error {
	from, err := databaseFlags{Database: c.From}.openExisting(ctx)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	defer from.Close()
	if _, err := from.Migrate(ctx); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	to, err := databaseFlags{Database: c.To}.open(ctx)
	if err != nil {
		return err
	}
	defer to.Close()
	if err := c.judge(ctx, from, "the source"); err != nil {
		return err
	}
	err = store.Copy(ctx, from, to, func(t store.Copied) { fmt.Printf("\r%-24s %12d rows\n", t.Table, t.Rows) })
	if err != nil {
		return err
	}
	return c.judge(ctx, to, "the copy")
}

func (copyCommand) judge(ctx context.Context, s *store.Store, what string) error {
	report, err := auditor.Audit(ctx, s, auditor.Options{}) // the gateway may have stood still for long
	if err != nil {
		return err
	}
	if !report.Sound() {
		printReport(report, "en")
		return fmt.Errorf("%s is not sound; see above", what)
	}
	fmt.Printf("%s is sound: %d rules checked\n", what, report.Checks)
	return nil
}
