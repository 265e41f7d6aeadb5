package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/thungan/thungan/auditor"
	"github.com/thungan/thungan/core/coretest"
	"github.com/thungan/thungan/store/storetest"
)

// A gateway that has stood still with work undone is backed up, restored and
// copied all the same: what is late is not lost.
func TestOverdueWorkIsRestored(t *testing.T) {
	ctx, folder := t.Context(), t.TempDir()
	url := storetest.URL(t, "sqlite")
	s := storetest.Open(t, url)
	e := coretest.New(t, s)
	p := e.Open(e.Memo, 1000)
	e.Pay(p, 1000) // its notice has been due since
	report, err := auditor.Audit(ctx, s, auditor.Options{Now: time.Now()})
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Check != "notice_stuck" {
		t.Fatalf("%+v, %v", report, err)
	}

	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(folder, "identity")
	if err := os.WriteFile(keys, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	backup := backupCommand{databaseFlags: databaseFlags{Database: url}, To: filepath.Join(folder, "backup.age"), Recipient: []string{identity.Recipient().String()}}
	if err := backup.Run(ctx); err != nil {
		t.Fatalf("backup: %v", err)
	}
	data := filepath.Join(folder, "restored")
	if err := (restoreCommand{From: backup.To, Data: data, Identity: keys}).Run(ctx); err != nil {
		t.Fatalf("restore: %v", err)
	}
	restored := "sqlite:" + filepath.Join(data, "thungan.db")
	if err := (copyCommand{From: restored, To: "sqlite:" + filepath.Join(folder, "copy.db")}).Run(ctx); err != nil {
		t.Fatalf("copy: %v", err)
	}
	// thungan check still tells of it.
	if err := (checkCommand{databaseFlags: databaseFlags{Database: restored}, Lang: "vi", Most: 20}).Run(ctx); !errors.Is(err, errUnsound) {
		t.Errorf("check: %v", err)
	}
}
