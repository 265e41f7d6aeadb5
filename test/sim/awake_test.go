package sim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/thungan/thungan/payment"
)

// The model is awake: a gateway that tells callers something false of its
// store, or a store that forgets what it has acknowledged, is found out.
func TestModelIsAwake(t *testing.T) {
	for _, planted := range []struct {
		name  string
		plant func(w *world)
		found []string // one of these
	}{
		{"a lost answer is called a refusal", func(w *world) {
			w.planted = func(err error) error {
				if payment.CodeOf(err) == payment.CodeInternal && err != nil {
					return &payment.Error{Code: payment.CodeBusy, Text: "nothing was done", Cause: err}
				}
				return err
			}
		}, []string{"and the gateway said that"}},
		{"a failed commit is called a success", func(w *world) {
			w.planted = func(err error) error {
				if failure, _ := failed(err); failure {
					return nil
				}
				return err
			}
		}, []string{"answered with success and"}},
		{"an acknowledged commit is rolled back", func(w *world) { w.loses = 0.05 }, []string{"answered with success and not done", "it has to be", "told again"}},
	} {
		t.Run(planted.name, func(t *testing.T) {
			for seed := uint64(1); seed <= 6; seed++ {
				var found string
				synctest.Test(t, func(t *testing.T) { found = watch(t, seed, planted.plant) })
				switch {
				case found == "":
					continue
				case !slices.ContainsFunc(planted.found, func(text string) bool { return strings.Contains(found, text) }):
					t.Errorf("seed %d: %s", seed, found)
				default:
					t.Log(found)
				}
				return
			}
			t.Error("it was not noticed")
		})
	}
}

// watch lives a day with a defect and says what the model found first.
func watch(t *testing.T, seed uint64, plant func(*world)) string {
	who := &witness{TB: t}
	w := newWorld(who, seed, 3)
	w.faults = 0.4
	plant(w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.day(salesOfDay)
	}()
	<-done
	return who.found
}

// witness keeps what a test would have failed with, and goes on.
type witness struct {
	testing.TB
	found string
}

func (w *witness) Errorf(format string, args ...any) {
	if w.found == "" {
		w.found = fmt.Sprintf(format, args...)
	}
}

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

// forget undoes, after a request that was answered with success, what it has
// written: the store said that it was committed, and is as it was before.
func (w *world) forget(do func() error) error {
	files := []string{w.path, w.path + "-wal"}
	before := make([][]byte, len(files))
	for i, name := range files {
		content, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.must(err)
		}
		before[i] = content
	}
	err := do()
	w.disk.Kill()
	_ = w.store.Close()
	w.disk.Heal()
	for i, name := range files {
		w.must(os.WriteFile(name, before[i], 0o600))
	}
	w.boot()
	return err
}
