package vietqr

import "fmt"

// WarningCode tells kinds of warnings apart; the texts may change, these do not.
type WarningCode string

// Warnings of Decode.
const (
	WrongCRC            WarningCode = "wrong_crc"            // Payload.CRCOK is false
	LowerCaseCRC        WarningCode = "lower_case_crc"       // right, but should be upper case
	TooLong             WarningCode = "too_long"             // a value over the profile's limit
	UnexpectedCharacter WarningCode = "unexpected_character" // outside printable ASCII, or outside letters and digits
	UnexpectedValue     WarningCode = "unexpected_value"     // not one of the values which the profile allows
	AmountForm          WarningCode = "amount_form"          // written with a decimal point
	EmptyObject         WarningCode = "empty_object"         // length 00
	MissingObject       WarningCode = "missing_object"       // mandatory, not there
	DuplicateObject     WarningCode = "duplicate_object"     // an unknown object twice; a known one is an error
	LengthInBytes       WarningCode = "length_in_bytes"      // lengths fit only when counted in bytes
	SpaceAround         WarningCode = "space_around"         // white space before or after the payload
	CardNumber          WarningCode = "card_number"          // Payload.Account is a full card number
)

// Warning is something in a payload which breaks the profile but does not
// keep it from being understood. It quotes no value of the payload.
type Warning struct {
	Code   WarningCode
	Object string // dotted path such as "62.08"; empty for the payload itself
	Text   string
}

// String is "too_long 62.08: 33 characters, the limit is 25".
func (w Warning) String() string {
	if w.Object == "" {
		return fmt.Sprintf("%s: %s", w.Code, w.Text)
	}
	return fmt.Sprintf("%s %s: %s", w.Code, w.Object, w.Text)
}
