package main

import (
	"archive/zip"
	"context"
	"embed"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"baton/e2e/javaprog"
)

//go:embed java/*.java
var sources embed.FS

// services let JUnit find our classes.
var services = map[string]string{
	"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nPremain-Class: baton.Agent\n",
	"META-INF/services/org.junit.platform.launcher.TestExecutionListener": "baton.Recorder\n",
	"META-INF/services/org.junit.jupiter.api.extension.Extension":         "baton.Selection\n",
}

// buildAgent compiles our classes and packs them into a jar for -javaagent.
func buildAgent(ctx context.Context, version, classpath, jar string) error {
	files, err := fs.Glob(sources, "java/*.java")
	if err != nil {
		return err
	}
	texts := map[string][]byte{}
	for _, name := range files {
		if texts[path.Base(name)], err = sources.ReadFile(name); err != nil {
			return err
		}
	}
	classes, err := javaprog.Compile(ctx, version+"-kafkatests", classpath, texts)
	if err != nil {
		return err
	}
	return pack(jar, classes)
}

func pack(jar, classes string) error {
	f, err := os.Create(jar)
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	err = z.AddFS(os.DirFS(classes))
	for name, text := range services {
		if err != nil {
			break
		}
		err = add(z, name, text)
	}
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func add(z *zip.Writer, name, text string) error {
	w, err := z.Create(filepath.ToSlash(name))
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	return err
}
