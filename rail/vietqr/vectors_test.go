package vietqr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is a payload read by hand from a published source.
type vector struct {
	name     string
	text     string
	want     Payload
	warnings []WarningCode
	refused  bool // Encode does not write it (Rebuild does)
}

var vectors = []vector{
	{
		name: "Paykit sample, memo over the limit",
		text: "00020101021238620010A000000727013200069704480118PKTTEST1234567890A0208QRIBFTTA53037045405100005802VN62370833Thanh toan cho PKTTEST1234567890A6304DC58",
		want: Payload{Dynamic: true, BIN: "970448", Account: "PKTTEST1234567890A", Service: ServiceAccount,
			Amount: 10000, Memo: "Thanh toan cho PKTTEST1234567890A", CRCOK: true},
		warnings: []WarningCode{TooLong},
		refused:  true,
	},
	{
		name: "AppotaPay sample",
		text: "00020101021238630010A000000727013300069704320119MQQ0759866wrYqzPLw70208QRIBFTTA5204549953037045405120005802VN5916QRPAYMENT UAT 216011HO CHI MINH62430109wrYqzPLw70708Q07598660814AP26146183702063042A9D",
		want: Payload{Dynamic: true, BIN: "970432", Account: "MQQ0759866wrYqzPLw7", Service: ServiceAccount,
			MCC: "5499", Amount: 12000, MerchantName: "QRPAYMENT UAT 21", City: "HO CHI MINH",
			BillNumber: "wrYqzPLw7", Terminal: "Q0759866", Memo: "AP261461837020", CRCOK: true},
	},
	{
		name:     "NAPAS 6.1.2 static card",
		text:     "00020101021138600010A00000072701300006970403011697040311012345670208QRIBFTTC53037045802VN63044F52",
		want:     Payload{BIN: "970403", Account: "9704031101234567", Service: ServiceCard, CRCOK: true},
		warnings: []WarningCode{CardNumber},
		refused:  true,
	},
	{
		name: "NAPAS 6.1.3 dynamic account",
		text: "00020101021238570010A00000072701270006970403011300110123456780208QRIBFTTA530370454061800005802VN62340107NPS68690819thanh toan don hang63042E2E",
		want: Payload{Dynamic: true, BIN: "970403", Account: "0011012345678", Service: ServiceAccount,
			Amount: 180000, BillNumber: "NPS6869", Memo: "thanh toan don hang", CRCOK: true},
	},
	{
		name: "NAPAS 6.1.4 dynamic card",
		text: "00020101021238600010A00000072701300006970403011697040311012345670208QRIBFTTC530370454061800005802VN62340107NPS68690819thanh toan don hang6304A203",
		want: Payload{Dynamic: true, BIN: "970403", Account: "9704031101234567", Service: ServiceCard,
			Amount: 180000, BillNumber: "NPS6869", Memo: "thanh toan don hang", CRCOK: true},
		warnings: []WarningCode{CardNumber},
		refused:  true,
	},
	{
		name: "NAPAS 6.1.1 corrected",
		text: "00020101021138570010A00000072701270006970403011300110123456780208QRIBFTTA53037045802VN63049E6F",
		want: Payload{BIN: "970403", Account: "0011012345678", Service: ServiceAccount, CRCOK: true},
	},
	{
		name: "CRC with leading zero",
		text: "00020101021138580010A000000727012800069704070114190304136010180208QRIBFTTA53037045802VN63040283",
		want: Payload{BIN: "970407", Account: "19030413601018", Service: ServiceAccount, CRCOK: true},
	},
	{
		name: "ZaloPay wallet, CRC with leading zero",
		text: "00020101021138620010A00000072701320006970454011899ZP24009M072482670208QRIBFTTA53037045802VN6304073C",
		want: Payload{BIN: "970454", Account: "99ZP24009M07248267", Service: ServiceAccount, CRCOK: true},
	},
	{
		name:     "MB Bank, lower-case CRC",
		text:     "00020101021138540010A00000072701240006970422011003523509170208QRIBFTTA53037045802VN630479db",
		want:     Payload{BIN: "970422", Account: "0352350917", Service: ServiceAccount, CRCOK: true},
		warnings: []WarningCode{LowerCaseCRC},
	},
	{
		name: "MoMo wallet with reference label",
		text: "00020101021138620010A000000727013200069710250118PSP1234567890000000208QRIBFTTA53037045802VN62190515MOMOW2W123456786304821F",
		want: Payload{BIN: "971025", Account: "PSP123456789000000", Service: ServiceAccount,
			ReferenceLabel: "MOMOW2W12345678", CRCOK: true},
	},
	{
		name: "ZaloPay, two schemes",
		text: twoSchemes,
		want: Payload{Dynamic: true, BIN: "970454", Account: "99ZP23237O00001545", Service: ServiceAccount,
			MCC: "7399", Amount: 69000, Memo: "39164607419425851",
			Unknown: Unknown{Root: []Field{{"26", "0010vn.zalopay02030010106270005031739164607419425851"}}},
			CRCOK:   true},
	},
	{
		name: "QRPUSH",
		text: "00020101021238580010A00000072701300006970403011621129950446040250206QRPUSH52045812530370454061800005802VN5910PHUONG CAC6005HANOI62110307NPS686963047C1B",
		want: Payload{Dynamic: true, BIN: "970403", Account: "2112995044604025", Service: ServicePush,
			MCC: "5812", Amount: 180000, MerchantName: "PHUONG CAC", City: "HANOI", StoreLabel: "NPS6869", CRCOK: true},
		refused: true,
	},
	{
		name: "QRCASH with language template",
		text: "00020101021238500010A000000727012200069704030108123456780206QRCASH5204601153037045802VN5915NGUYEN HUU HUAN6005HANOI6105100006237052120190109155714228384707080000111164260002en0107shop vn0205Hanoi630476DA",
		want: Payload{Dynamic: true, BIN: "970403", Account: "12345678", Service: ServiceCash,
			MCC: "6011", MerchantName: "NGUYEN HUU HUAN", City: "HANOI", PostalCode: "10000",
			ReferenceLabel: "201901091557142283847", Terminal: "00001111",
			Unknown: Unknown{Root: []Field{{"64", "0002en0107shop vn0205Hanoi"}}},
			CRCOK:   true},
		refused: true,
	},
	{
		name: "wrong CRC",
		text: "00020101021238530010A0000007270123000697041601092576788590208QRIBFTTA5303704540410005802VN62150811Chuyen tien6304BBB5",
		want: Payload{Dynamic: true, BIN: "970416", Account: "257678859", Service: ServiceAccount,
			Amount: 1000, Memo: "Chuyen tien"},
		warnings: []WarningCode{WrongCRC},
	},
}

const twoSchemes = "00020101021226520010vn.zalopay0203001010627000503173916460741942585138620010A00000072701320006970454011899ZP23237O000015450208QRIBFTTA5204739953037045405690005802VN62210817391646074194258516304766E"

// brokenNesting is NAPAS' own example 6.1.1: right CRC, account length one too small.
const brokenNesting = "00020101021138570010A00000072701270006970403011200110123456780208QRIBFTTA53037045802VN6304F4E5"

func TestVectorsDecode(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			got, warnings, err := Decode(v.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.want, got); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(v.warnings, codes(warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVectorsEncode(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			canonical := v.text
			if v.name == "wrong CRC" {
				canonical = strings.TrimSuffix(v.text, "BBB5") + "BBB8"
			}
			canonical = canonical[:len(canonical)-4] + strings.ToUpper(canonical[len(canonical)-4:])

			again, err := Rebuild(v.want)
			if err != nil || again != canonical {
				t.Errorf("Rebuild = %q, %v, want %q", again, err, canonical)
			}
			again, err = Encode(v.want)
			if v.refused {
				if err == nil {
					t.Errorf("Encode = %q, want a refusal", again)
				}
				return
			}
			if err != nil || again != canonical {
				t.Errorf("Encode = %q, %v, want %q", again, err, canonical)
			}
		})
	}
}

func codes(warnings []Warning) []WarningCode {
	var list []WarningCode
	for _, w := range warnings {
		list = append(list, w.Code)
	}
	return list
}

func TestCRC(t *testing.T) {
	for text, want := range map[string]string{
		"":          "FFFF",
		"00":        "2EC9",
		"01":        "3EE8",
		"123456789": "29B1", // the check value in catalogues of CRC-16/CCITT-FALSE
	} {
		if got := string(appendCRC(nil, crc16(text))); got != want {
			t.Errorf("CRC of %q = %s, want %s", text, got, want)
		}
	}
}

// TestCRCBitwise compares the table with the definition, bit by bit.
func TestCRCBitwise(t *testing.T) {
	for _, v := range vectors {
		crc := uint16(0xFFFF)
		for _, b := range []byte(v.text) {
			for bit := 7; bit >= 0; bit-- {
				top := crc>>15&1 == 1
				crc <<= 1
				if top != (b>>bit&1 == 1) {
					crc ^= 0x1021
				}
			}
		}
		if got := crc16(v.text); got != crc {
			t.Errorf("%s: %04X, want %04X", v.name, got, crc)
		}
	}
}
