package playertest

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
)

// SystemSounds returns the sound files of the freedesktop sound theme (Debian's
// package sound-theme-freedesktop) in a fixed order, and nothing where it is not
// installed; they serve as [Options.Bodies].
func SystemSounds() []string {
	return Sounds("/usr/share/sounds/freedesktop/stereo")
}

// Sounds returns the Ogg and WAV files of a folder in a fixed order.
func Sounds(dir string) []string {
	var out []string
	for _, pattern := range []string{"*.oga", "*.ogg", "*.wav"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err == nil { // the one error is a malformed pattern: a folder with a bracket in its name
			out = append(out, names...)
		}
	}
	slices.Sort(out)
	return out
}

// sound is what the tags tell about a tune's body.
type sound struct {
	codec      string
	rate       int   // samples a second
	durationMs int64 // rounded down
}

// tags appends what is known of the sound of size bytes.
func (s sound) tags(t Tags, size int) Tags {
	t = t.With("length", strconv.Itoa(size))
	if s.codec == "" {
		return t
	}
	t = t.With("codec", s.codec).
		With("samplerate", strconv.Itoa(s.rate)).
		With("duration", strconv.FormatInt(s.durationMs, 10))
	if s.durationMs > 0 {
		// Bits in a millisecond are kilobits in a second; "vs" is variable, stereo.
		t = t.With("bitrate", "vs"+strconv.FormatInt(int64(size)*8/s.durationMs, 10))
	}
	return t
}

const wavHead = 44

// sine makes a WAV file of one clean tone: mono, 16 bits, one to three seconds.
func sine(rng *rand.Rand) []byte {
	const rate = 11025
	pitch := 110 * math.Pow(2, float64(rng.IntN(37))/12) // three octaves of semitones up from A
	samples := rate + rng.IntN(2*rate)
	b := make([]byte, 0, wavHead+2*samples)
	b = appendWavHead(b, rate, samples)
	for i := range samples {
		// The conversions keep the compiler from fusing operations, so that every
		// machine makes the same bytes.
		phase := float64(2 * math.Pi * float64(pitch*float64(i)) / rate)
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(float64(12000*math.Sin(phase)))))
	}
	return b
}

func appendWavHead(b []byte, rate, samples int) []byte {
	le := binary.LittleEndian
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, uint32(wavHead-8+2*samples))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, 1) // channels
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(2*rate))
	b = le.AppendUint16(b, 2) // bytes a sample
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	return le.AppendUint32(b, uint32(2*samples))
}

// shorten cuts a quarter off a sound's end, as an editor does that trims silence. A
// WAV file stays valid; of an Ogg file whole pages remain where it has several.
func shorten(body []byte) []byte {
	keep := len(body) - len(body)/4
	if probe(body).codec == "wave" && bytes.Equal(body[36:40], []byte("data")) {
		rate := int(binary.LittleEndian.Uint32(body[24:28]))
		if align := int(binary.LittleEndian.Uint16(body[32:34])); align == 2 {
			samples := (len(body) - wavHead) * 3 / 8 // three quarters, of two bytes each
			return append(appendWavHead(nil, rate, samples), body[wavHead:wavHead+2*samples]...)
		}
	}
	if at := bytes.LastIndex(body[:keep], []byte("OggS")); at > keep/2 {
		keep = at
	}
	return append([]byte(nil), body[:keep]...)
}

// probe tells what a body is, as far as WAV and Ogg Vorbis go; of others it knows nothing.
func probe(b []byte) sound {
	le := binary.LittleEndian
	switch {
	case len(b) >= wavHead && string(b[:4]) == "RIFF" && string(b[8:16]) == "WAVEfmt ":
		if perSecond := int64(le.Uint32(b[28:32])); perSecond > 0 {
			return sound{"wave", int(le.Uint32(b[24:28])), int64(len(b)-wavHead) * 1000 / perSecond}
		}
	case len(b) >= 64 && string(b[:4]) == "OggS":
		// The first packet names the rate; the last page tells how many samples there are.
		head := bytes.Index(b[:64], []byte("\x01vorbis"))
		last := bytes.LastIndex(b, []byte("OggS"))
		if head < 0 || head+16 > len(b) || last+14 > len(b) {
			break
		}
		rate := int64(le.Uint32(b[head+12:]))
		samples := int64(le.Uint64(b[last+6:]))
		if rate > 0 && samples >= 0 && samples < 1<<40 {
			return sound{"vorbis", int(rate), samples * 1000 / rate}
		}
	}
	return sound{}
}
