package main

import (
	"fmt"
	"runtime"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// versionText says what this program is and what it speaks.
func versionText() string {
	return fmt.Sprintf("empegsync %s, rsync protocol %d to %d, %s/%s", version, proto.MinVersion, proto.MaxVersion, runtime.GOOS, runtime.GOARCH)
}
