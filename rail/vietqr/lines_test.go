package vietqr

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenLines runs testdata/*.txtar: section "encode" or "decode" is the
// input, "want" the output.
func TestGoldenLines(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			run := map[string]func(io.Reader, io.Writer) error{"encode": EncodeLines, "decode": DecodeLines}[archive.Files[0].Name]
			input := archive.Files[0].Data
			var out bytes.Buffer
			if err := run(bytes.NewReader(input), &out); err != nil {
				t.Fatal(err)
			}
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "want", Data: out.Bytes()})
				if err := os.WriteFile(file, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if want := archive.Files[1].Data; !bytes.Equal(out.Bytes(), want) {
				t.Errorf("got:\n%s\nwant:\n%s", &out, want)
			}
			if in, got := bytes.Count(input, []byte("\n")), bytes.Count(out.Bytes(), []byte("\n")); in != got {
				t.Errorf("%d lines in, %d out", in, got)
			}
		})
	}
}

func runLines(t *testing.T, run func(io.Reader, io.Writer) error, input string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := run(strings.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestLineEnds(t *testing.T) {
	good := vectors[1].text
	for name, tt := range map[string]struct {
		input string
		want  string // per output line: k is decoded, e is an error
	}{
		"nothing":                  {"", ""},
		"one blank line":           {"\n", "e"},
		"no line end at the end":   {good, "k"},
		"line end at the end":      {good + "\n", "k"},
		"CR LF":                    {good + "\r\n" + good + "\r\n", "kk"},
		"blank lines between":      {good + "\n\n \t\n" + good, "keek"},
		"not UTF-8":                {good + "\n\xff\xfe\n" + good + "\n", "kek"},
		"NUL":                      {"\x00\n" + good + "\n", "ek"},
		"longest line":             {strings.Repeat("0", MaxLine) + "\n" + good, "ek"},
		"over-long line":           {good + "\n" + strings.Repeat("0", MaxLine+1) + "\n" + good, "kek"},
		"over-long with CR LF":     {strings.Repeat("0", MaxLine+1) + "\r\n" + good, "ek"},
		"many buffers long":        {strings.Repeat("0", 5*MaxLine+77) + "\n" + good, "ek"},
		"over-long at the end":     {good + "\n" + strings.Repeat("0", 3*MaxLine), "ke"},
		"over-long, end of buffer": {strings.Repeat("0", MaxLine+2), "e"},
	} {
		got := ""
		for _, line := range runLines(t, DecodeLines, tt.input) {
			var answer map[string]any
			if err := json.Unmarshal([]byte(line), &answer); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			if _, isError := answer["error"]; isError {
				got += "e"
			} else if _, ok := answer["warnings"].([]any); ok {
				got += "k"
			} else {
				t.Errorf("%s: no list of warnings: %s", name, line)
			}
		}
		if got != tt.want {
			t.Errorf("%s: answers %q, want %q", name, got, tt.want)
		}
	}
}

func TestLongestLineEncodes(t *testing.T) {
	line := `{"bin":"970403","account":"0011012345678","pad":"`
	line += strings.Repeat("x", MaxLine-len(line)-2) + `"}`
	want := vectors[5].text
	got := runLines(t, EncodeLines, line+"\r\n"+line+" \n"+line)
	if len(got) != 3 || got[0] != want || !strings.Contains(got[1], "65536") || got[2] != want {
		t.Errorf("%q", got)
	}
}

func TestDecodeLinesRoundTrip(t *testing.T) {
	for _, v := range vectors {
		if v.refused || len(v.warnings) > 0 || v.want.Unknown.Root != nil {
			continue
		}
		decoded := runLines(t, DecodeLines, v.text)
		again := runLines(t, EncodeLines, decoded[0])
		if len(again) != 1 || again[0] != v.text {
			t.Errorf("%s: %s", v.name, again)
		}
	}
}

func TestLinesReportFaultsOfTheStreams(t *testing.T) {
	broken := errors.New("broken pipe")
	good := vectors[1].text + "\n"
	var out bytes.Buffer
	err := DecodeLines(io.MultiReader(strings.NewReader(good+"000"), iotest.ErrReader(broken)), &out)
	if !errors.Is(err, broken) || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("reader: %v, %q", err, &out)
	}
	err = DecodeLines(io.MultiReader(strings.NewReader(strings.Repeat("0", 2*MaxLine)), iotest.ErrReader(broken)), io.Discard)
	if !errors.Is(err, broken) {
		t.Errorf("reader in a long line: %v", err)
	}
	if err := DecodeLines(strings.NewReader(good), failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("writer: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestLinesConverse: an answer must not wait for the next question.
func TestLinesConverse(t *testing.T) {
	questions, ask := io.Pipe()
	answer, answers := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- DecodeLines(questions, answers) }()
	buf := make([]byte, 4096)
	for range 3 {
		if _, err := io.WriteString(ask, vectors[1].text+"\n"); err != nil {
			t.Fatal(err)
		}
		n, err := answer.Read(buf)
		if err != nil || !bytes.HasSuffix(buf[:n], []byte("\n")) {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	ask.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLinesReadByteByByte(t *testing.T) {
	input := vectors[0].text + "\n\n" + vectors[1].text
	var whole, slow bytes.Buffer
	if err := DecodeLines(strings.NewReader(input), &whole); err != nil {
		t.Fatal(err)
	}
	if err := DecodeLines(iotest.OneByteReader(strings.NewReader(input)), &slow); err != nil {
		t.Fatal(err)
	}
	if whole.String() != slow.String() {
		t.Errorf("%s\n%s", &whole, &slow)
	}
}
