package vietqr

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"rsc.io/qr"
)

// quietZone is the white border that scanners need, in modules.
const quietZone = 4

// MaxScale is the largest PNG scale, in pixels per module.
const MaxScale = 32

// SVGOptions are the choices of SVG; the zero value is usable.
type SVGOptions struct {
	// Title is read out by screen readers; "VietQR" when empty. Say what to
	// pay to whom, as a blind payer cannot see the code.
	Title string
	// Size is the width and height in CSS pixels; 0 leaves them to the style
	// sheet. At most 10000.
	Size int
}

// SVG draws payload as a QR code, error correction level M. The result stands
// alone as a file and can be put inside a page: it has no style attribute, no
// script and no id, so it passes a Content-Security-Policy without exceptions.
//
// It takes 0.1 ms or so, a hundred times a payload's own cost: draw it when
// the page is asked for. Errors: an empty payload, one that is not UTF-8 or
// longer than 2331 bytes, a Size out of range.
func SVG(payload string, opts SVGOptions) ([]byte, error) {
	if opts.Size < 0 || opts.Size > 10000 {
		return nil, errors.New("vietqr: the SVG size must be 0 to 10000 pixels")
	}
	code, err := matrix(payload)
	if err != nil {
		return nil, err
	}
	title := svgTitle(opts.Title)
	side := strconv.Itoa(code.Size + 2*quietZone)

	buf := make([]byte, 0, 16<<10)
	buf = append(buf, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+side+` `+side+`"`...)
	if opts.Size > 0 {
		size := strconv.Itoa(opts.Size)
		buf = append(buf, ` width="`+size+`" height="`+size+`"`...)
	}
	buf = append(buf, ` role="img" aria-label="`+title+`" shape-rendering="crispEdges">`...)
	buf = append(buf, `<title>`+title+`</title>`...)
	buf = append(buf, `<rect width="`+side+`" height="`+side+`" fill="#fff"/><path stroke="#000" d="`...)
	buf = appendModules(buf, code)
	buf = append(buf, `"/></svg>`...)
	return buf, nil
}

// appendModules strokes each run of dark modules in a row with a line one
// module wide: half the bytes of drawing rectangles.
func appendModules(buf []byte, code *qr.Code) []byte {
	for y := range code.Size {
		pen := -1 // where the last run of this row ended
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			if pen < 0 {
				buf = append(buf, 'M')
				buf = strconv.AppendInt(buf, int64(x+quietZone), 10)
				buf = append(buf, ' ')
				buf = strconv.AppendInt(buf, int64(y+quietZone), 10)
				buf = append(buf, ".5h"...) // the middle of the row
			} else {
				buf = append(buf, 'm')
				buf = strconv.AppendInt(buf, int64(x-pen), 10)
				buf = append(buf, " 0h"...)
			}
			start := x
			for code.Black(x, y) { // false past the edge
				x++
			}
			buf = strconv.AppendInt(buf, int64(x-start), 10)
			pen = x
		}
	}
	return buf
}

// svgTitle escapes a title for XML text and attributes. Control characters are
// not allowed in XML at all.
func svgTitle(title string) string {
	if title == "" {
		title = "VietQR"
	}
	return html.EscapeString(strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r == '\u007f', r == '\uFFFE', r == '\uFFFF':
			return ' '
		}
		return r
	}, title))
}

// PNG draws payload as a QR code of scale pixels a module (1 to MaxScale), in
// black and white with a quiet zone of 4 modules. Errors as for SVG.
func PNG(payload string, scale int) ([]byte, error) {
	if scale < 1 || scale > MaxScale {
		return nil, fmt.Errorf("vietqr: the PNG scale must be 1 to %d", MaxScale)
	}
	code, err := matrix(payload)
	if err != nil {
		return nil, err
	}
	return encodePNG(bitmap(code, scale))
}

// bitmap is painted here because the library's own PNG writer panics at small
// scales.
func bitmap(code *qr.Code, scale int) *image.Paletted {
	side := (code.Size + 2*quietZone) * scale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range code.Size {
		first := img.Pix[(y+quietZone)*scale*side:][:side]
		for x := range code.Size {
			if code.Black(x, y) {
				for i := range scale {
					first[(x+quietZone)*scale+i] = 1
				}
			}
		}
		for i := 1; i < scale; i++ {
			copy(img.Pix[((y+quietZone)*scale+i)*side:], first)
		}
	}
	return img
}

// pngBuffers lets one image's working memory (1.5 MB) serve the next.
type pngBuffers struct{}

var pngPool = sync.Pool{New: func() any { return new(png.EncoderBuffer) }}

func (pngBuffers) Get() *png.EncoderBuffer  { return pngPool.Get().(*png.EncoderBuffer) }
func (pngBuffers) Put(b *png.EncoderBuffer) { pngPool.Put(b) }

func encodePNG(img image.Image) ([]byte, error) {
	var buf bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: pngBuffers{}}
	if err := encoder.Encode(&buf, img); err != nil {
		return nil, fmt.Errorf("vietqr: %w", err)
	}
	return buf.Bytes(), nil
}

func matrix(payload string) (*qr.Code, error) {
	if payload == "" {
		return nil, errors.New("vietqr: nothing to draw, the payload is empty")
	}
	if !utf8.ValidString(payload) {
		return nil, errors.New("vietqr: the payload is not valid UTF-8")
	}
	code, err := qr.Encode(payload, qr.M)
	if err != nil {
		return nil, fmt.Errorf("vietqr: %w", err)
	}
	return code, nil
}
