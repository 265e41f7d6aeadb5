package vietqr

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

var pathStep = regexp.MustCompile(`(?:M(\d+) (\d+)\.5|m(\d+) 0)h(\d+)`)

func atoi(t *testing.T, digits string) int {
	t.Helper()
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// modulesOfSVG paints the path of an SVG into a grid, quiet zone included.
func modulesOfSVG(t *testing.T, svg []byte) [][]bool {
	t.Helper()
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Path    struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &doc); err != nil {
		t.Fatal(err)
	}
	var side, height int
	if _, err := fmt.Sscanf(doc.ViewBox, "0 0 %d %d", &side, &height); err != nil || side != height {
		t.Fatal(doc.ViewBox, err)
	}
	grid := make([][]bool, side)
	for y := range grid {
		grid[y] = make([]bool, side)
	}
	var x, y int
	for _, step := range pathStep.FindAllStringSubmatch(doc.Path.D, -1) {
		if step[1] != "" {
			x, y = atoi(t, step[1]), atoi(t, step[2])
		} else {
			x += atoi(t, step[3])
		}
		for range atoi(t, step[4]) {
			grid[y][x] = true
			x++
		}
	}
	if rest := pathStep.ReplaceAllString(doc.Path.D, ""); rest != "" {
		t.Fatalf("not understood in the path: %q", rest)
	}
	return grid
}

func modulesOfPNG(t *testing.T, data []byte, scale int) [][]bool {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	side := img.Bounds().Dx() / scale
	grid := make([][]bool, side)
	for y := range grid {
		grid[y] = make([]bool, side)
		for x := range grid[y] {
			r, _, _, _ := img.At(x*scale+scale/2, y*scale+scale/2).RGBA()
			grid[y][x] = r < 0x8000
		}
	}
	return grid
}

func TestImagesShowTheMatrix(t *testing.T) {
	for _, payload := range []string{"1", vectors[0].text, twoSchemes, "Lê Anh Tú", strings.Repeat("x", 2331)} {
		code, err := qr.Encode(payload, qr.M)
		if err != nil {
			t.Fatal(err)
		}
		svg, err := SVG(payload, SVGOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sameModules(t, "SVG", modulesOfSVG(t, svg), code)
		for _, scale := range []int{1, 3, 8} {
			image, err := PNG(payload, scale)
			if err != nil {
				t.Fatal(err)
			}
			sameModules(t, "PNG", modulesOfPNG(t, image, scale), code)
		}
	}
}

// sameModules also checks the quiet zone: code is white outside its square.
func sameModules(t *testing.T, kind string, grid [][]bool, code *qr.Code) {
	t.Helper()
	if len(grid) != code.Size+8 {
		t.Fatalf("%s: side %d, want %d", kind, len(grid), code.Size+8)
	}
	for y := range grid {
		for x := range grid[y] {
			if grid[y][x] != code.Black(x-4, y-4) {
				t.Fatalf("%s: module %d,%d is wrong", kind, x, y)
			}
		}
	}
}

func TestSVGForm(t *testing.T) {
	svg, err := SVG(twoSchemes, SVGOptions{Title: `Trả 69.000đ cho "A & B" <script>'` + "\x00", Size: 240})
	if err != nil {
		t.Fatal(err)
	}
	text := string(svg)
	for _, part := range []string{`role="img"`, `shape-rendering="crispEdges"`, `width="240" height="240"`,
		`xmlns="http://www.w3.org/2000/svg"`, `<title>Trả 69.000đ cho &#34;A &amp; B&#34; &lt;script&gt;&#39; </title>`} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %.300s", part, text)
		}
	}
	for _, part := range []string{"style", "<script", "id=", "\n"} {
		if strings.Contains(text, part) {
			t.Errorf("%q in %.300s", part, text)
		}
	}
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if plain, _ := SVG("1", SVGOptions{}); !bytes.Contains(plain, []byte("<title>VietQR</title>")) || bytes.Contains(plain[:60], []byte("width")) {
		t.Errorf("%.200s", plain)
	}
	if len(svg) > 10<<10 {
		t.Errorf("%d bytes, the payer's page has 50 KB in all", len(svg))
	}
}

func TestImagesRefuse(t *testing.T) {
	for name, payload := range map[string]string{
		"empty": "", "too long": strings.Repeat("x", 2332), "not UTF-8": "\xff",
	} {
		if _, err := SVG(payload, SVGOptions{}); err == nil {
			t.Errorf("SVG draws %s", name)
		}
		if _, err := PNG(payload, 8); err == nil {
			t.Errorf("PNG draws %s", name)
		}
	}
	for _, scale := range []int{-1, 0, MaxScale + 1} {
		if _, err := PNG("1", scale); err == nil {
			t.Errorf("PNG draws at scale %d", scale)
		}
	}
	for _, size := range []int{-1, 10001} {
		if _, err := SVG("1", SVGOptions{Size: size}); err == nil {
			t.Errorf("SVG draws at size %d", size)
		}
	}
}
