package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thungan/thungan/internal/vault"
)

type keyCommand struct {
	New    newKeyCommand    `cmd:"" help:"Make a key file. Keep a copy of it away from the database: without it no secret can be opened."`
	Rotate rotateKeyCommand `cmd:"" help:"Add a key to the file; what is sealed from now on is sealed with it."`
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
	fmt.Printf("added key %s; restart every node with the new file\n", id)
	return nil
}
