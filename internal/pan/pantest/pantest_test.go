package pantest

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/thungan/thungan/internal/pan"
)

// A number that was planted is found however it is written and wrapped, under
// the name of its place; its masked form is not.
func TestFind(t *testing.T) {
	var n Numbers
	for range 400 {
		for _, form := range Forms {
			text := n.Write(form, "here")
			want := "here (" + form + ")"
			ascii, _ := json.Marshal(map[string]string{"x": text})
			var wide strings.Builder
			for _, r := range text {
				wide.WriteString(`\u` + strings.ToUpper(string("0123456789abcdef"[r>>12&15])+string("0123456789abcdef"[r>>8&15])+string("0123456789abcdef"[r>>4&15])+string("0123456789abcdef"[r&15])))
			}
			for _, wrapped := range []string{
				text, "x" + text + "y", string(ascii), url.QueryEscape(text), url.PathEscape(text), wide.String(),
				base64.StdEncoding.EncodeToString(ascii), base64.RawURLEncoding.EncodeToString([]byte("abc" + text)), url.QueryEscape(string(ascii)),
			} {
				if found := n.Find(wrapped); len(found) != 1 || found[0] != want {
					t.Fatalf("%s in %s: %v", want, wrapped, found)
				}
			}
			if masked := pan.Mask(text); masked == text || len(n.Find(masked)) > 0 {
				t.Fatalf("%q is masked as %q", text, masked)
			}
			if !pan.Stands(text) {
				t.Fatalf("%q is taken", text)
			}
		}
	}
	for _, other := range []string{"", "ORDER-1", "2026112500000123", "411111111111111", "4111-1111-1111", "01890000-4111-7111-8111-111111111111"} {
		if found := n.Find(other); len(found) > 0 {
			t.Errorf("%q: %v", other, found)
		}
	}
}
