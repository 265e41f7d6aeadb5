package railtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thungan/thungan/payment"
)

func (s *acquirerReport) configuration() {
	k := s.c.Connector
	if k.Kind() == "" || k.Kind() != strings.ToLower(k.Kind()) || len(k.Methods()) == 0 {
		s.failf("kind %q, methods %v", k.Kind(), k.Methods())
	}
	sound := s.c.Config("https://acquirer.example.vn")
	if err := k.CheckConfig(sound); err != nil {
		s.failf("the sound configuration is refused: %v", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(sound, &members); err != nil {
		s.failf("the sound configuration is not a JSON object: %v", err)
		return
	}
	for _, secret := range s.c.Secrets {
		if !bytes.Contains(sound, []byte(secret)) {
			s.failf("a secret of the case is not in its configuration")
		}
	}
	refused := func(why string, config []byte) {
		err := k.CheckConfig(config)
		if err == nil {
			s.failf("CheckConfig accepts %s", why)
		} else if payment.CodeOf(err) != payment.CodeInvalidRequest {
			s.failf("CheckConfig's error for %s has the code %s", why, payment.CodeOf(err))
		}
		s.failed("CheckConfig", err)
	}
	with := func(name string, value string) []byte {
		changed := maps.Clone(members)
		if value == "" {
			delete(changed, name)
		} else {
			changed[name] = json.RawMessage(value)
		}
		b, err := json.Marshal(changed)
		if err != nil {
			s.failf("%v", err)
		}
		return b
	}
	for name, value := range members {
		optional := slices.Contains(s.c.Optional, name)
		switch err := k.CheckConfig(with(name, "")); {
		case optional && err != nil:
			s.failf("a configuration without %s is refused: %v", name, err)
		case !optional:
			refused("a configuration without "+name, with(name, ""))
		}
		wrong := []string{"[]", "{}", "1.5", `["x"]`, `[` + string(value) + `]`}
		if value[0] == '"' {
			wrong = append(wrong, "true", "12345678")
		}
		if !optional {
			wrong = append(wrong, "null", `""`, `" "`, `"\u0000"`, `"`+strings.Repeat("x", 5000)+`"`)
		}
		for _, w := range wrong {
			refused(fmt.Sprintf("%s = %.40s", name, w), with(name, w))
		}
		refused("a misspelt "+name, with(name+"x", string(value)))
	}
	refused("an unknown member", with("unknown", "1"))
	for _, text := range []string{"", " ", "null", "[]", `""`, "1", "{}", "{", string(sound) + "{}", string(sound) + "x", "\xff", strings.Repeat("[", 10_000)} {
		refused(fmt.Sprintf("%.40q", text), []byte(text))
	}
	// A broken configuration with the secrets in it.
	refused("a cut configuration", sound[:len(sound)-1])
}
