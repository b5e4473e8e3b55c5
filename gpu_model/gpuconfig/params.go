package gpuconfig

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Parameter is one parameter as it is listed.
type Parameter struct {
	Key         string `json:"key"`
	Value       string `json:"value"` // TOML text
	Unit        string `json:"unit"`
	Source      string `json:"source"`
	Description string `json:"description"`
}

// List returns every parameter in the order of the Spec.
func (s Spec) List() []Parameter {
	var list []Parameter
	s.each(func(key string, v reflect.Value, f reflect.StructField) {
		p := Parameter{Key: key, Unit: f.Tag.Get("unit"), Source: f.Tag.Get("source"), Description: f.Tag.Get("doc")}
		if Listed(key) {
			p.Description += " (listed, not modelled on its own: a change is refused)"
		}
		switch v.Kind() {
		case reflect.String:
			p.Value = strconv.Quote(v.String())
		case reflect.Float64:
			p.Value = strconv.FormatFloat(v.Float(), 'g', -1, 64)
			if !strings.ContainsAny(p.Value, ".e") {
				p.Value += ".0"
			}
		default:
			p.Value = fmt.Sprint(v.Interface())
		}
		list = append(list, p)
	})
	return list
}

// each calls do for every parameter, with its dotted key.
func (s *Spec) each(do func(key string, v reflect.Value, f reflect.StructField)) {
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key := prefix + f.Tag.Get("toml")
			if f.Type.Kind() == reflect.Struct {
				walk(key+".", v.Field(i))
				continue
			}
			do(key, v.Field(i), f)
		}
	}
	walk("", reflect.ValueOf(s).Elem())
}

// Set overrides one parameter; value is TOML text (a bare word is taken as a string). The result is not validated.
func (s *Spec) Set(key, value string) error {
	var found reflect.Value
	s.each(func(k string, v reflect.Value, _ reflect.StructField) {
		if k == key {
			found = v
		}
	})
	if !found.IsValid() || key == "name" {
		return fmt.Errorf("unknown GPU parameter %q%s", key, s.nearest(key))
	}
	value = strings.TrimSpace(value)
	fail := func(want string) error {
		return fmt.Errorf("GPU parameter %s must be %s, got %q", key, want, value)
	}
	digits := strings.ReplaceAll(value, "_", "")
	before := found.Interface()
	switch found.Kind() {
	case reflect.String:
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		found.SetString(value)
	case reflect.Float64:
		x, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			return fail("a number")
		}
		found.SetFloat(x)
	case reflect.Uint64:
		x, err := strconv.ParseUint(digits, 0, 64)
		if err != nil {
			return fail("a whole number that is not negative")
		}
		found.SetUint(x)
	default:
		x, err := strconv.ParseInt(digits, 0, 64)
		if err != nil {
			return fail("a whole number")
		}
		found.SetInt(x)
	}
	if after := found.Interface(); Listed(key) && after != before {
		found.Set(reflect.ValueOf(before))
		return noEffect(key, before, after)
	}
	return nil
}

// noEffect refuses another value of a parameter that is only listed.
func noEffect(key string, before, after any) error {
	return fmt.Errorf("GPU parameter %s = %v is refused: it is %v in the GPU that is modelled, and another value would have no effect on the model; leave it out", key,
		after, before)
}

// Load overrides parameters from a TOML document; file names it in messages. The document may name the preset it starts
// from with `preset = "…"`. Unknown keys are errors. The result is not validated.
func Load(file, document string) (Spec, error) {
	head := struct {
		Preset string `toml:"preset"`
	}{Preset: "r9nano"}
	if _, err := toml.Decode(document, &head); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", file, err)
	}
	s, err := Preset(head.Preset)
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", file, err)
	}
	before := map[string]any{}
	s.each(func(key string, v reflect.Value, _ reflect.StructField) {
		if Listed(key) {
			before[key] = v.Interface()
		}
	})
	meta, err := toml.Decode(document, &s)
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", file, err)
	}
	if meta.IsDefined("name") {
		return Spec{}, fmt.Errorf("%s: unknown GPU parameter \"name\": the preset to begin from is set with preset = \"…\"", file)
	}
	for _, k := range meta.Undecoded() {
		if k.String() != "preset" {
			return Spec{}, fmt.Errorf("%s: unknown GPU parameter %q%s", file, k.String(), s.nearest(k.String()))
		}
	}
	s.each(func(key string, v reflect.Value, _ reflect.StructField) {
		if old, listed := before[key]; listed && err == nil && v.Interface() != old {
			err = fmt.Errorf("%s: %w", file, noEffect(key, old, v.Interface()))
		}
	})
	return s, err
}

// nearest suggests the key that shares most with an unknown one.
func (s *Spec) nearest(key string) string {
	best, score := "", 0
	last := key[strings.LastIndex(key, ".")+1:]
	s.each(func(k string, _ reflect.Value, _ reflect.StructField) {
		n := 0
		for n < len(k) && n < len(key) && k[n] == key[n] {
			n++
		}
		if strings.HasSuffix(k, "."+last) {
			n += len(last)
		}
		if n > score {
			best, score = k, n
		}
	})
	if score < 2 {
		return "; `spartan gpu show` lists all"
	}
	return fmt.Sprintf(" (did you mean %q?); `spartan gpu show` lists all", best)
}
