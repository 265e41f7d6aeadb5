package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/thungan/thungan/core"
	"github.com/thungan/thungan/internal/vault"
)

type keyCommand struct {
	New    newKeyCommand    `cmd:"" help:"Make a key file. Keep a copy of it away from the database: without it no secret can be opened."`
	Rotate rotateKeyCommand `cmd:"" help:"Add a key to the file; what is sealed from now on is sealed with it."`
	Reseal resealCommand    `cmd:"" help:"Seal with the newest key what older ones have sealed."`
}

type newKeyCommand struct {
	File string `arg:"" help:"The file to make; it must not exist." type:"path"`
}

func (c newKeyCommand) Run() error {
	if err := os.MkdirAll(filepath.Dir(c.File), 0o700); err != nil {
		return err
	}
	err := vault.Generate(c.File)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and keys are never overwritten; to add one: thungan key rotate %s", c.File, c.File)
	}
	if err != nil {
		return err
	}
	fmt.Println("made", c.File)
	return nil
}

type rotateKeyCommand struct {
	File string `arg:"" help:"The key file." type:"existingfile"`
}

func (c rotateKeyCommand) Run() error {
	id, err := vault.Rotate(c.File)
	if err != nil {
		return err
	}
	fmt.Printf("added key %s; restart every node with the new file, then run: thungan key reseal\n", id)
	return nil
}

type resealCommand struct{ operatorFlags }

func (resealCommand) Help() string {
	return `Opens every secret in the database and seals it with the newest key, the last of the
file, unless it is already. The gateway may serve meanwhile, but every node of it must
have been restarted with that key: an older one could not open the secrets any more.

Afterwards the file's other keys, but for the first, seal nothing and may be taken out
of it. The first one stays: addresses of payment pages come from it.`
}

func (c resealCommand) Run(ctx context.Context) error {
	return c.do(ctx, func(k *core.Core, by core.Actor) error {
		report, err := k.Reseal(ctx, by)
		var rows [][]string
		for _, r := range report {
			rows = append(rows, []string{r.Column, strconv.Itoa(r.Texts), strconv.Itoa(r.Done)})
		}
		return errors.Join(err, c.table([]string{"column", "sealed", "sealed anew"}, rows))
	})
}
