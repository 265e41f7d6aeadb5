package httpx

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/thungan/thungan/internal/pan"
)

// MaskPAN is pan.Mask.
func MaskPAN(s string) string { return pan.Mask(s) }

// HasPAN is pan.Has: whether MaskPAN would change s.
func HasPAN(s string) bool { return pan.Has(s) }

// MaskHandler masks card numbers in everything that is logged: messages, string
// values, errors, and whatever else shows one when printed.
type MaskHandler struct{ next slog.Handler }

// NewMaskHandler wraps next.
func NewMaskHandler(next slog.Handler) *MaskHandler { return &MaskHandler{next: next} }

// Enabled is as in the wrapped handler.
func (h *MaskHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes a masked copy of the record on, or the record itself when it
// shows no card number.
func (h *MaskHandler) Handle(ctx context.Context, r slog.Record) error {
	if plain(r) {
		return h.next.Handle(ctx, r)
	}
	masked := slog.NewRecord(r.Time, r.Level, MaskPAN(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(maskAttr(a))
		return true
	})
	return h.next.Handle(ctx, masked)
}

// plain says whether a record is of simple values and has nothing to mask, as
// nearly all are.
func plain(r slog.Record) bool {
	if HasPAN(r.Message) {
		return false
	}
	found := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Value.Kind() {
		case slog.KindString:
			found = HasPAN(a.Key) || HasPAN(a.Value.String())
		case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindBool, slog.KindDuration, slog.KindTime:
			found = HasPAN(a.Key)
		default:
			found = true
		}
		return !found
	})
	return !found
}

// WithAttrs masks the attributes once, for all records to come.
func (h *MaskHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = maskAttr(a)
	}
	return &MaskHandler{next: h.next.WithAttrs(masked)}
}

// WithGroup is as in the wrapped handler.
func (h *MaskHandler) WithGroup(name string) slog.Handler {
	return &MaskHandler{next: h.next.WithGroup(name)}
}

func maskAttr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: MaskPAN(a.Key), Value: maskValue(a.Value.Resolve())}
}

func maskValue(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(MaskPAN(v.String()))
	case slog.KindGroup:
		attrs := v.Group()
		masked := make([]slog.Attr, len(attrs))
		for i, a := range attrs {
			masked[i] = maskAttr(a)
		}
		return slog.GroupValue(masked...)
	case slog.KindAny:
		return maskAny(v)
	}
	return v
}

func maskAny(v slog.Value) slog.Value {
	if raw, ok := v.Any().([]byte); ok {
		if HasPAN(string(raw)) {
			return slog.StringValue(MaskPAN(string(raw)))
		}
		return v
	}
	text := fmt.Sprintf("%+v", v.Any())
	if HasPAN(text) {
		return slog.StringValue(MaskPAN(text))
	}
	// A JSON handler follows pointers where printing does not.
	if encoded, err := json.Marshal(v.Any()); err == nil && HasPAN(string(encoded)) {
		return slog.StringValue(MaskPAN(string(encoded)))
	}
	return v
}
