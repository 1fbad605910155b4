package install

import (
	"fmt"
	"strconv"
	"strings"
)

// Machine is a running system, as far as it decides whether the program runs.
type Machine struct {
	Arch    string // uname -m: armv5tejl, x86_64
	CPU     string // of /proc/cpuinfo: the processor's name, "" if not told
	Version int    // ARM architecture by /proc/cpuinfo, 0 if not told
	Kernel  string // uname -r: 6.1.0-49-armmp
}

// What the program needs: Go's own requirements.
const (
	leastARM         = 5
	leastKernelMajor = 3
	leastKernelMinor = 2
)

// TooOld is the refusal of a player that cannot run the program.
type TooOld struct {
	Found string // what was found, in words
}

func (e *TooOld) Error() string {
	return fmt.Sprintf("this program cannot run here: found %s; it needs an ARM processor of version 5 or later "+
		"(ARMv5) and Linux 3.2 or later. Nothing was copied.", e.Found)
}

// CheckMachine returns a *TooOld if the program cannot run on m.
func CheckMachine(m Machine) error {
	if v := m.armVersion(); v > 0 && v < leastARM {
		return &TooOld{fmt.Sprintf("a processor of version ARMv%d%s", v, parens(m.CPU))}
	}
	return checkKernel(m.Kernel)
}

// armVersion is the version of the ARM architecture, 0 on other processors.
func (m Machine) armVersion() int {
	if digits, ok := strings.CutPrefix(m.Arch, "armv"); ok {
		if v := leadingNumber(digits); v > 0 {
			return v
		}
	}
	if strings.HasPrefix(m.Arch, "arm") {
		return m.Version
	}
	return 0
}

// checkKernel compares a release such as 2.2.17-rmk5. What is no version at all
// is let through: whoever runs this has a kernel that runs it.
func checkKernel(release string) error {
	major, rest, _ := strings.Cut(release, ".")
	first, err := strconv.Atoi(major)
	if err != nil {
		return nil
	}
	second := leadingNumber(rest)
	if first > leastKernelMajor || first == leastKernelMajor && second >= leastKernelMinor {
		return nil
	}
	return &TooOld{"Linux " + release}
}

// leadingNumber reads the digits at the beginning, at most six; 0 if there is none.
func leadingNumber(s string) int {
	n := 0
	for i := 0; i < len(s) && i < 6 && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func parens(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// ParseCPU reads /proc/cpuinfo: the processor's name and the version of the ARM
// architecture, 0 if it tells none. Old kernels say it in the name only, as in
// "StrongARM-1100 rev 9 (v4l)".
func ParseCPU(text []byte) (name string, version int) {
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Processor", "model name":
			if name == "" {
				name = value
			}
		case "CPU architecture":
			if version == 0 {
				version = leadingNumber(value)
			}
		}
	}
	if version == 0 {
		if _, after, ok := strings.Cut(name, "(v"); ok {
			version = leadingNumber(after)
		}
	}
	return name, version
}
