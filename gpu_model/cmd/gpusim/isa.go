package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/emu"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
)

const isaUsage = `usage: gpusim isa disasm    read one instruction a line (hex dwords, lowest address first) from standard input;
                           print its text, or "error: …", a line each
       gpusim isa dump [--kernel NAME] FILE
                           list the instructions of a code object, as llvm-objdump -d does
       gpusim isa list      print every instruction of the opcode table
       gpusim isa upstream [--json] FILE...
                           tell which kernels upstream MGPUSim executes properly, and what keeps it from the others
       gpusim isa --json    print how many instructions LLVM knows, how many are decoded and executed, and the refused ones
`

// runISA is the isa command.
func runISA(arguments []string) int {
	if len(arguments) > 0 && arguments[0] == "dump" {
		return dumpObject(arguments[1:])
	}
	if len(arguments) > 0 && arguments[0] == "upstream" {
		return checkUpstream(arguments[1:])
	}
	if len(arguments) == 1 {
		switch arguments[0] {
		case "disasm":
			return disassemble(os.Stdin, os.Stdout)
		case "list":
			return listInstructions(os.Stdout)
		case "--json":
			encoder := json.NewEncoder(os.Stdout)
			_ = encoder.Encode(countCoverage())
			return 0
		case "help", "--help", "-h":
			fmt.Print(isaUsage)
			return 0
		}
	}
	fmt.Fprint(os.Stderr, isaUsage)
	return 2
}

// disassemble writes a line for every line that it reads. Dwords beyond the instruction are not looked at; the commas, 0x and
// blanks that other tools write are allowed.
func disassemble(r io.Reader, w io.Writer) int {
	in, out := bufio.NewReaderSize(r, 1<<16), bufio.NewWriterSize(w, 1<<16)
	for {
		line, err := readLine(in)
		if err != nil && (err != io.EOF || line == "") {
			if err == io.EOF {
				err = nil
			}
			return finish(out, err)
		}
		text, problem := disassembleLine(line)
		if problem != nil {
			text = "error: " + problem.Error()
		}
		_, _ = out.WriteString(text)
		if out.WriteByte('\n') != nil {
			return finish(out, nil)
		}
		// A reader that waits for the answer before it writes the next line gets it.
		if in.Buffered() == 0 && out.Flush() != nil {
			return 4
		}
	}
}

func finish(out *bufio.Writer, err error) int {
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gpusim isa disasm: %v\n", err)
		return 4
	}
	return 0
}

// maxLine is the longest line that is read; an instruction has two dwords.
const maxLine = 4096

// readLine reads a line without its end; what is longer than maxLine is dropped.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, prefix, err := in.ReadLine()
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if err != nil || !prefix {
			return string(line), err
		}
	}
}

func disassembleLine(line string) (string, error) {
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '\r' })
	if len(fields) == 0 {
		return "", fmt.Errorf("an instruction is expected, one or two dwords in hex; the line is empty")
	}
	if len(line) > maxLine {
		return "", fmt.Errorf("an instruction is expected, one or two dwords in hex; the line is longer than %d bytes", maxLine)
	}
	code := make([]byte, 0, 8)
	for _, field := range fields {
		digits := strings.TrimPrefix(strings.TrimPrefix(field, "0x"), "0X")
		word, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || len(digits) > 8 {
			return "", fmt.Errorf("a dword in hex is expected, got %.40q", field)
		}
		code = binary.LittleEndian.AppendUint32(code, uint32(word))
	}
	text, _, err := isa.Disassemble(code)
	return text, err
}

// listInstructions prints a line an instruction: format, opcode number, mnemonic, forms, section of the documentation.
func listInstructions(w io.Writer) int {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "format\topcode\tmnemonic\tforms\tstatus\tsource")
	for _, op := range isa.Opcodes() {
		var forms []string
		for _, form := range []struct {
			has  bool
			name string
		}{{op.HasBase, op.Format.String()}, {op.HasWide, "VOP3"}, {op.HasSDWA, "SDWA"}, {op.HasDPP, "DPP"}} {
			if form.has {
				forms = append(forms, form.name)
			}
		}
		status := "decoded"
		switch {
		case op.Refused():
			status = "refused"
		case emu.Implements(op):
			status = "executed"
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\t%s\n", op.Format, op.Code, op.Name, strings.Join(forms, ","), status, op.Source)
	}
	if out.Flush() != nil {
		return 4
	}
	return 0
}

// coverage counts instructions in all encodings: v_add_f32 counts as VOP2, VOP3, SDWA and DPP.
type coverage struct {
	Known    int      `json:"known"`    // instructions that LLVM 16 knows for gfx803
	Decoded  int      `json:"decoded"`  // of those, the ones that the opcode table has
	Executed int      `json:"executed"` // of those, the ones that the emulator executes
	Refused  []string `json:"refused"`  // names of the rest: instructions of the graphics formats
}

func countCoverage() coverage {
	c := coverage{Refused: []string{}}
	for _, k := range isa.KnownInstructions() {
		c.Known++
		if k.Decoded() {
			c.Decoded++
		}
		if emu.Refusal(k.Example) == "" {
			c.Executed++
		} else {
			c.Refused = append(c.Refused, k.Name)
		}
	}
	return c
}
