package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// Lengths of a card number in digits (ISO/IEC 7812-1).
const (
	minPAN = 13
	maxPAN = 19
)

// MaskPAN replaces the middle of every card number in s with "…", and leaves
// the first six and last four digits. A card number is 13 to 19 digits, in one
// run or in groups with a single space or dash between, that pass Luhn's check,
// or 16 or 19 digits that begin with 9704, the prefix of Vietnam's domestic
// cards, which need not pass it. UUIDs are left alone.
func MaskPAN(s string) string {
	var out strings.Builder
	copied := 0
	eachPAN(s, func(start, end int, digits string) bool {
		out.WriteString(s[copied:start])
		out.WriteString(digits[:6] + "…" + digits[len(digits)-4:])
		copied = end
		return true
	})
	if copied == 0 {
		return s
	}
	out.WriteString(s[copied:])
	return out.String()
}

// HasPAN reports whether MaskPAN would change s.
func HasPAN(s string) bool {
	found := false
	eachPAN(s, func(int, int, string) bool {
		found = true
		return false
	})
	return found
}

// group is a run of digits in a text.
type group struct{ start, end int }

// eachPAN calls yield for every card number, from left to right, until it
// returns false.
func eachPAN(s string, yield func(start, end int, digits string) bool) {
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i += skipWord(s, i)
			continue
		}
		if isUUID(s, i) {
			i += uuidLen
			continue
		}
		groups, next := readGroups(s, i)
		for len(groups) > 0 {
			digits, n := firstPAN(s, groups)
			if n == 0 {
				groups = groups[1:] // other digits may stand before the number
				continue
			}
			if !yield(groups[0].start, groups[n-1].end, digits) {
				return
			}
			groups = groups[n:]
		}
		i = next
	}
}

// skipWord is how far to go from a character that is no digit: one, or over a
// whole UUID that begins with a letter.
func skipWord(s string, i int) int {
	if isUUID(s, i) {
		return uuidLen
	}
	return 1
}

// readGroups reads runs of digits with a single space or dash between.
func readGroups(s string, i int) (groups []group, next int) {
	for {
		start := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		groups = append(groups, group{start, i})
		if i+1 >= len(s) || (s[i] != ' ' && s[i] != '-') || !isDigit(s[i+1]) {
			return groups, i
		}
		i++
	}
}

// firstPAN looks for a card number made of the first groups, the longest first,
// and says how many groups it takes.
func firstPAN(s string, groups []group) (digits string, n int) {
	var all [maxPAN]byte
	length := 0
	for i, g := range groups {
		if length+g.end-g.start > maxPAN {
			break
		}
		length += copy(all[length:], s[g.start:g.end])
		if isPAN(all[:length]) {
			digits, n = string(all[:length]), i+1
		}
	}
	return digits, n
}

func isPAN(digits []byte) bool {
	if len(digits) < minPAN || len(digits) > maxPAN {
		return false
	}
	if bytes.HasPrefix(digits, []byte("9704")) && (len(digits) == 16 || len(digits) == 19) {
		return true
	}
	return luhn(digits)
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

const uuidLen = 36

// isUUID reports whether a UUID stands alone at i. One in three thousand ends
// in digits only, and its id would be lost from the log now and then.
func isUUID(s string, i int) bool {
	if len(s)-i < uuidLen || (i > 0 && isWord(s[i-1])) || (len(s) > i+uuidLen && isWord(s[i+uuidLen])) {
		return false
	}
	for k := range uuidLen {
		c := s[i+k]
		switch k {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool { return isDigit(c) || ('a' <= c|0x20 && c|0x20 <= 'z') || c == '-' }

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
	found := HasPAN(r.Message)
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
