package vietqr

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

var benchPayload = Payload{
	Dynamic: true, BIN: "970432", Account: "MQQ0759866wrYqzPLw7", MCC: "5499", Amount: 12000,
	MerchantName: "QRPAYMENT UAT 21", City: "HO CHI MINH",
	BillNumber: "wrYqzPLw7", Terminal: "Q0759866", Memo: "AP261461837020",
}

// TestEncodeAllocations keeps Encode cheap enough for every payment created.
func TestEncodeAllocations(t *testing.T) {
	n := testing.AllocsPerRun(1000, func() {
		if _, err := Encode(benchPayload); err != nil {
			t.Fatal(err)
		}
	})
	if n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(benchPayload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(vectors[1].text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnaccent(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Unaccent("Thanh toán đơn hàng số 17")
	}
}

func BenchmarkEncodeLines(b *testing.B) {
	input := strings.Repeat(`{"bin":"970432","account":"0759866","amount":12000,"memo":"AP261461837020"}`+"\n", 1000)
	b.SetBytes(int64(len(input)))
	for b.Loop() {
		if err := EncodeLines(strings.NewReader(input), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLines(b *testing.B) {
	input := bytes.Repeat([]byte(vectors[1].text+"\n"), 1000)
	b.SetBytes(int64(len(input)))
	for b.Loop() {
		if err := DecodeLines(bytes.NewReader(input), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSVG(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := SVG(vectors[1].text, SVGOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PNG(vectors[1].text, 8); err != nil {
			b.Fatal(err)
		}
	}
}
