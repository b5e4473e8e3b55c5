package codeobject

import (
	"fmt"
	"strings"
)

// parseYAML reads the subset of YAML that LLVM writes into code objects v2: block mappings and sequences by indentation, flow
// sequences of scalars, plain and quoted scalars. Every scalar is a string.
func parseYAML(text string) (value, error) {
	p := &yamlParser{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \r")
		body := strings.TrimLeft(line, " ")
		if body == "" || body == "---" || body == "..." || body[0] == '#' {
			continue
		}
		p.lines = append(p.lines, yamlLine{n + 1, len(line) - len(body), body})
	}
	if len(p.lines) == 0 {
		return nil, nil
	}
	v, err := p.block(p.lines[0].indent, 0)
	if err == nil && p.next < len(p.lines) {
		err = p.lines[p.next].error("does not fit the indentation")
	}
	return v, err
}

type yamlLine struct {
	number, indent int
	body           string
}

func (l yamlLine) error(what string) error {
	return fmt.Errorf("YAML line %d (%.60q) %s", l.number, l.body, what)
}

type yamlParser struct {
	lines []yamlLine
	next  int
}

// block reads the mapping or sequence whose lines begin at indent.
func (p *yamlParser) block(indent, depth int) (value, error) {
	first := p.lines[p.next]
	if depth > maxDepth {
		return nil, first.error(fmt.Sprintf("is nested deeper than %d levels", maxDepth))
	}
	if isItem(first.body) {
		return p.sequence(indent, depth)
	}
	m := map[string]value{}
	for p.next < len(p.lines) && p.lines[p.next].indent == indent && !isItem(p.lines[p.next].body) {
		line := p.lines[p.next]
		key, rest, ok := splitKey(line.body)
		if !ok {
			return nil, line.error("is not a key and a value")
		}
		p.next++
		v, err := p.valueAfter(key, rest, indent, depth)
		if err != nil {
			return nil, err
		}
		m[key] = v
	}
	return m, nil
}

// valueAfter reads what follows "key:": a scalar on the line, or a deeper block (a sequence may stand at the key's own indent).
func (p *yamlParser) valueAfter(_, rest string, indent, depth int) (value, error) {
	if rest != "" {
		return scalar(rest), nil
	}
	if p.next == len(p.lines) {
		return nil, nil
	}
	l := p.lines[p.next]
	if l.indent > indent || l.indent == indent && isItem(l.body) {
		return p.block(l.indent, depth+1)
	}
	return nil, nil
}

func (p *yamlParser) sequence(indent, depth int) (value, error) {
	var l []value
	for p.next < len(p.lines) && p.lines[p.next].indent == indent && isItem(p.lines[p.next].body) {
		line := &p.lines[p.next]
		body := strings.TrimLeft(line.body[1:], " ")
		if body == "" {
			p.next++
			if p.next < len(p.lines) && p.lines[p.next].indent > indent {
				v, err := p.block(p.lines[p.next].indent, depth+1)
				if err != nil {
					return nil, err
				}
				l = append(l, v)
			}
			continue
		}
		if _, _, isMap := splitKey(body); !isMap {
			p.next++
			l = append(l, scalar(body))
			continue
		}
		// The item's first key stands on the dash's line: read it as a line of the mapping that it begins.
		line.indent += len(line.body) - len(body)
		line.body = body
		v, err := p.block(line.indent, depth+1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
	return l, nil
}

func isItem(body string) bool { return body == "-" || strings.HasPrefix(body, "- ") }

// splitKey splits "key: value"; quoted scalars and flow sequences have no key.
func splitKey(body string) (key, rest string, ok bool) {
	if body[0] == '\'' || body[0] == '"' || body[0] == '[' {
		return "", "", false
	}
	key, rest, ok = strings.Cut(body, ":")
	if !ok || rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	return key, strings.TrimLeft(rest, " "), true
}

// scalar reads a plain or quoted scalar, or a flow sequence of them.
func scalar(s string) value {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		l := []value{}
		for _, item := range strings.Split(s[1:len(s)-1], ",") {
			l = append(l, unquote(strings.TrimSpace(item)))
		}
		return l
	}
	return unquote(s)
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		return strings.ReplaceAll(s[1:len(s)-1], strings.Repeat(s[:1], 2), s[:1])
	}
	return s
}
