package corpus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// Tool is the disassembler that the project compares with: Debian's package llvm-16.
const Tool = "llvm-mc-16"

// The mark that ends the output of each instruction: an s_nop whose immediate no generator makes.
const (
	markBytes = "[0xa5 0xc3 0x80 0xbf]"
	markWord  = 0xBF80C3A5
	markText  = "s_nop 0xc3a5"
)

var warning = regexp.MustCompile(`^[^:]*:(\d+):(\d+): warning: (.*)$`)

// crashes reports words on which LLVM 16 ends with a segmentation fault: SDWA selections that are not defined.
func crashes(words []uint32) bool {
	if len(words) < 2 || words[0]>>31 != 0 || words[0]&0x1FF != 249 {
		return false
	}
	w, isCompare := words[1], words[0]>>25 == 0x3E // compares have no destination selection
	return w>>8&7 == 7 && !isCompare || w>>16&7 == 7 || w>>24&7 == 7
}

// Disassemble gives the text of the instruction at the start of each list of words, "" where LLVM finds none there.
func Disassemble(instructions [][]uint32) ([]string, error) {
	var input bytes.Buffer
	for _, words := range instructions {
		input.WriteByte('[')
		for i, b := range wordBytes(words) {
			if i > 0 {
				input.WriteByte(' ')
			}
			fmt.Fprintf(&input, "0x%02x", b)
		}
		input.WriteString("]\n" + markBytes + "\n")
	}
	command := exec.Command(Tool, "-disassemble", "-arch=amdgcn", "-mcpu=gfx803")
	command.Stdin = &input
	var output, messages bytes.Buffer
	command.Stdout, command.Stderr = &output, &messages
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: it refused some words
		return nil, fmt.Errorf("%s: %w: %.300s", Tool, err, messages.String())
	}
	bad := map[int]bool{}
	lines := bufio.NewScanner(&messages)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		match := warning.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		if match[3] != "invalid instruction encoding" {
			return nil, fmt.Errorf("%s: unexpected message %q", Tool, lines.Text())
		}
		line, _ := strconv.Atoi(match[1])
		if match[2] == "2" { // the instruction at the start; later ones are words that the first did not need
			bad[(line-1)/2] = true
		}
	}
	texts := make([]string, 0, len(instructions))
	current, have := "", false
	lines = bufio.NewScanner(&output)
	for lines.Scan() {
		text := strings.TrimPrefix(lines.Text(), "\t")
		switch {
		case text == ".text" && len(texts) == 0 && !have:
		case text == markText:
			switch {
			case bad[len(texts)]:
				current = "" // a text can come from later words
			case !have:
				return nil, fmt.Errorf("%s: instruction %d gave neither text nor a message", Tool, len(texts))
			}
			texts = append(texts, current)
			current, have = "", false
		case !have:
			current, have = text, true
		}
	}
	if len(texts) != len(instructions) {
		return nil, fmt.Errorf("%s: the output has lost step with the input: %d of %d", Tool, len(texts), len(instructions))
	}
	return texts, nil
}
