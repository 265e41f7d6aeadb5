package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// configVariable names the --config file, which kong reads only as a flag.
const configVariable = "THUNGAN_CONFIG"

// withConfig adds the environment's --config to the arguments, unless they have
// one.
func withConfig(args []string) []string {
	file := os.Getenv(configVariable)
	given := slices.ContainsFunc(args, func(a string) bool { return a == "--config" || strings.HasPrefix(a, "--config=") })
	if file == "" || given {
		return args
	}
	return append([]string{"--config=" + file}, args...)
}

// configFile holds the settings of a --config file by the flags' names.
type configFile map[string]any

// readConfig reads a --config file: one JSON object. A name may be written with
// dashes, as the flag is, or with underscores.
func readConfig(r io.Reader) (kong.Resolver, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	var object map[string]any
	var other *json.UnmarshalTypeError
	switch err := d.Decode(&object); {
	case errors.As(err, &other):
		return nil, errors.New("--config: the file has to be a JSON object")
	case err != nil:
		return nil, fmt.Errorf("--config: the file is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("--config: something comes after the JSON object")
	}
	c := configFile{}
	for name, value := range object {
		name = strings.ReplaceAll(name, "_", "-")
		if _, twice := c[name]; twice {
			return nil, fmt.Errorf("--config: %q is there twice", name)
		}
		text, err := settingText(value)
		if err != nil {
			return nil, fmt.Errorf("--config: %q: %w", name, err)
		}
		c[name] = text
	}
	return c, nil
}

// settingText is a value as it would stand on the command line; lists of texts
// are joined by commas.
func settingText(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case []any:
		var texts []string
		for _, element := range v {
			switch e := element.(type) {
			case string:
				texts = append(texts, e)
			case json.Number:
				texts = append(texts, e.String())
			default:
				return nil, errors.New("a list may have texts and numbers only")
			}
		}
		return strings.Join(texts, ","), nil
	}
	return nil, errors.New("has to be a text, a number, true, false or a list of texts")
}

// Validate finds names that are no settings of any command.
func (c configFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var collect func(n *kong.Node)
	collect = func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = known[f.Name] || setting(f)
		}
		for _, child := range n.Children {
			collect(child)
		}
	}
	collect(app.Node)
	for name := range c {
		if !known[name] {
			return fmt.Errorf("--config: there is no setting %q", name)
		}
	}
	return nil
}

// Resolve gives the file's value of a flag, unless the environment has one.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if !setting(f) {
		return nil, nil
	}
	for _, variable := range f.Envs {
		if _, set := os.LookupEnv(variable); set {
			return nil, nil
		}
	}
	return c[f.Name], nil
}

// setting says whether a flag may come from elsewhere than the command line.
func setting(f *kong.Flag) bool { return len(f.Envs) > 0 && f.Name != "config" }
