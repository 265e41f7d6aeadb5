package paykit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Every answer and notice writes itself as encoding/json would by the tags of
// its fields, whatever is in it.
func TestAppendersAgainstReflection(t *testing.T) {
	for _, kind := range []appender{checkoutResponse{}, retrievePaymentResponse{}, refundResponse{}, fullNotice{}, thinNotice{}} {
		of := reflect.TypeOf(kind)
		t.Run(of.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(of).Elem()
				fillIn(t, v, of.Name())
				var want bytes.Buffer
				e := json.NewEncoder(&want)
				e.SetEscapeHTML(false)
				if err := e.Encode(v.Interface()); err != nil {
					t.Fatal(err)
				}
				got, err := encode(v.Interface())
				if err != nil || string(got)+"\n" != want.String() {
					t.Fatalf("%v\n got %s\nwant %s", err, got, &want)
				}
			})
		})
	}
}

// fillIn draws a value for every field.
func fillIn(t *rapid.T, v reflect.Value, name string) {
	switch v.Type() {
	case reflect.TypeFor[datetime]():
		v.Set(reflect.ValueOf(datetime(time.Unix(rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, name), 1000).In(time.FixedZone("", 3600)))))
		if rapid.Bool().Draw(t, name+" is zero") {
			v.SetZero()
		}
		return
	case reflect.TypeFor[*errorObject](): // what has one is left to encoding/json
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "PAY-1", "<a&b>", `"\`, "\u2028", "\xff", "a\u007f", "Đơn"})).Draw(t, name))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, name+" is there") {
			v.Set(reflect.New(v.Type().Elem()))
			fillIn(t, v.Elem(), name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 3).Draw(t, name), 3))
		for i := range v.Len() {
			fillIn(t, v.Index(i), fmt.Sprint(name, i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fillIn(t, v.Field(i), v.Type().Field(i).Name)
		}
	default:
		t.Fatalf("%s is a %s, which this test does not know", name, v.Kind())
	}
}
