// Package chrome drives a real Chromium in tests of the pages.
//
// New starts a browser of its own for each call, without a window, with an empty profile that is removed afterwards.
// The browser reaches loopback and nothing else. Debian's package is chromium; make test installs it.
package chrome

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// EnvScreenshots names the environment variable with the folder that Screenshot writes to.
const EnvScreenshots = "THUNGAN_SCREENSHOTS"

// defaultTimeout leaves room for a busy machine of two cores.
const defaultTimeout = 90 * time.Second

// Options says what kind of visitor the browser is. The zero value is a desktop of 1280x900 with scripts, in light
// colours, that asks for Vietnamese.
type Options struct {
	NoScripts bool          // the pages' own scripts do not run; chromedp's queries still work
	Dark      bool          // prefers-color-scheme is dark, else light
	Phone     bool          // a touch screen of 360x740 at scale 2
	Language  string        // Accept-Language, such as "en"; empty means "vi"
	Timeout   time.Duration // bounds the life of the browser; 0 means 90 s
}

// New starts a browser with one empty tab, and returns the context for chromedp's actions in it. The browser ends
// with the test. The test fails at once when Chromium is missing or does not start.
func New(tb testing.TB, options Options) context.Context {
	tb.Helper()
	program, err := find("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
	if err != nil {
		tb.Fatal("chrome: Chromium isn't installed: run make test once, it installs it; or make deps")
	}
	timeout := options.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	// Not the test's context: that one is done before cleanups run, and would kill the browser in mid-work.
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	tb.Cleanup(cancel)
	// Ends the browser, waits for it and removes its profile.
	ctx, end := chromedp.NewExecAllocator(ctx, flags(program, options)...)
	tb.Cleanup(end)
	ctx, closeTab := chromedp.NewContext(ctx)
	tb.Cleanup(closeTab)
	if err := emulate(ctx, options); err != nil {
		tb.Fatalf("chrome: start %s: %v", program, err)
	}
	return ctx
}

// find returns the first of the programs that is installed.
func find(programs ...string) (string, error) {
	for _, program := range programs {
		if path, err := exec.LookPath(program); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// flags returns how Chromium is started. chromedp adds an empty --user-data-dir of its own.
func flags(program string, options Options) []chromedp.ExecAllocatorOption {
	language := options.Language
	if language == "" {
		language = "vi"
	}
	all := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	all = append(all, chromedp.ExecPath(program), chromedp.DisableGPU,
		chromedp.Flag("accept-lang", language),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// Everything but loopback does not exist: a page under test that names another host shows it, and the browser's
		// own calls home go nowhere. A proxy of the environment would get around the rule.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]"),
		chromedp.Flag("no-proxy-server", true),
	)
	if os.Geteuid() == 0 {
		// Chromium's sandbox does not work for root.
		all = append(all, chromedp.NoSandbox)
	}
	return all
}

// emulate sets up the tab as the options say.
func emulate(ctx context.Context, options Options) error {
	viewport := chromedp.EmulateViewport(1280, 900)
	if options.Phone {
		viewport = chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if err := chromedp.Do(ctx, viewport); err != nil {
		return err
	}
	scheme := "light"
	if options.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		return err
	}
	_, err = chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: options.NoScripts})
	return err
}

var screenshotName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// Screenshot writes a picture of the whole page to name.png in the folder that THUNGAN_SCREENSHOTS names, and makes
// the folder. Without the variable it does nothing. The name is of small letters, digits, dots, dashes and
// underscores, so that every test can choose one and none leaves the folder. The folder must be an absolute path,
// since each package's tests run in a folder of their own.
func Screenshot(tb testing.TB, ctx context.Context, name string) {
	tb.Helper()
	if !screenshotName.MatchString(name) {
		tb.Fatalf("chrome: %q is no name for a screenshot", name)
	}
	folder := os.Getenv(EnvScreenshots)
	if folder == "" {
		return
	}
	if !filepath.IsAbs(folder) {
		tb.Fatalf("chrome: %s must be an absolute path, not %q", EnvScreenshots, folder)
	}
	const asPNG = 100 // the quality at which chromedp takes a PNG
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(asPNG))
	if err != nil {
		tb.Fatalf("chrome: screenshot %s: %v", name, err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		tb.Fatalf("chrome: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		tb.Fatalf("chrome: %v", err)
	}
}
