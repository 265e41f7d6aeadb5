package httpx

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

type loud struct{ number string }

func (l loud) LogValue() slog.Value { return slog.StringValue(l.number) }

func TestMaskHandler(t *testing.T) {
	const pan = "4111111111111111"
	type card struct{ Number string }
	for name, newHandler := range map[string]func(*bytes.Buffer) slog.Handler{
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var out bytes.Buffer
		logger := slog.New(NewMaskHandler(newHandler(&out))).With("with", pan).WithGroup("g")
		logger.Info("paid with "+pan,
			"string", pan, "error", fmt.Errorf("outer: %w", errors.New("card "+pan)), "any", card{pan},
			"pointer", []*card{{pan}}, "list", []string{pan}, "bytes", []byte(pan), "valuer", loud{pan},
			slog.Group("inner", "deep", pan), "amount", 100000, "nothing", nil, "plain", "xin chào")
		logger.Debug("not enabled")
		text := out.String()
		if strings.Contains(text, pan) {
			t.Errorf("%s: %s", name, text)
		}
		if n := strings.Count(text, "411111…1111"); n != 10 {
			t.Errorf("%s: %d masked values: %s", name, n, text)
		}
		for _, want := range []string{"100000", "xin chào"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is lost: %s", name, want, text)
			}
		}
	}
}

// A card number is masked wherever it stands, also where all else is plain.
func TestMaskHandlerFindsOne(t *testing.T) {
	const pan = "4111111111111111"
	for name, log := range map[string]func(*slog.Logger){
		"message":                 func(l *slog.Logger) { l.Info("paid with " + pan) },
		"message, then plain":     func(l *slog.Logger) { l.Info("paid with "+pan, "plain", "text", "number", 1) },
		"first value, then plain": func(l *slog.Logger) { l.Info("paid", "by", pan, "plain", "text") },
		"last value":              func(l *slog.Logger) { l.Info("paid", "plain", "text", "by", pan) },
		"key":                     func(l *slog.Logger) { l.Info("paid", pan, 1, "plain", "text") },
	} {
		var out bytes.Buffer
		log(slog.New(NewMaskHandler(slog.NewJSONHandler(&out, nil))))
		if text := out.String(); strings.Contains(text, pan) || !strings.Contains(text, "411111…1111") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
