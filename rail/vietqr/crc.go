package vietqr

// crcPoly is the CRC-16/CCITT-FALSE polynomial: initial value 0xFFFF, no
// reflection, no final XOR (source 1).
const crcPoly = 0x1021

var crcTable = makeCRCTable()

func makeCRCTable() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ crcPoly
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}

// crc16 is the checksum of object 63, taken over every byte of the payload up
// to and including "6304".
func crc16[T string | []byte](text T) uint16 {
	crc := uint16(0xFFFF)
	for i := range len(text) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^text[i]]
	}
	return crc
}

const upperHex = "0123456789ABCDEF"

// appendCRC writes four upper-case digits, leading zeros kept (quirk 1).
func appendCRC(buf []byte, crc uint16) []byte {
	return append(buf, upperHex[crc>>12], upperHex[crc>>8&15], upperHex[crc>>4&15], upperHex[crc&15])
}
