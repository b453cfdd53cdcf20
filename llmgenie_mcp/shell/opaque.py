"""What cannot be read beforehand, and which protected things it could be about, judged by the words in it."""

from __future__ import annotations

import re

SHOWN = 300
"""Characters of a command that an operation carries."""

# Texts, which `re` compiles when they are first looked for: most commands are read without any of them.
_TOUCHES = {
    "git": (
        r"(?<![\w.-])(git|gh|glab|hub|jj)(?![\w-])|\.git\b(?!ignore|hub)"
        r"|gitpython|pygit2|dulwich|simple-git|isomorphic-git|refs/heads|api\.github\.com|gitlab\.com/api"
    ),
    "files": (
        r"\b(unlink|rmtree|rmsync|rmdirsync|unlinksync|writefile\w*|write_text|write_bytes|appendfile\w*|file_put_contents|fwrite|createwritestream|unpack_archive|extract_?all|extract_archive)\b"
        r"|\bos\.(remove|unlink|rename|replace|truncate|rmdir|removedirs|link|symlink)|\bshutil\.(move|copy\w*)"
        r"|\bopen\([^)]{0,200},\s*(mode=)?['\"][rb]?[wax+]|\bFile\.(write|delete|open|unlink|rename)|\bFileUtils\b|\.(unlink|touch|rename|rmdir)\(|\.(rename|rm|cp|truncate|copyfile)sync\(|\bfs\.\w*(rm|unlink|rename|write|truncate|cp)"
    ),
    "secrets": (
        r"(?<![\w.-])\.env(?![\w(]|\.example|\.sample|\.template)|\.pem\b|\bid_(rsa|ed25519|ecdsa|dsa)|\.ssh\b|\.netrc|\.aws\b|\.gnupg"
        r"|\bcredentials\b|\.pgpass|\.npmrc|\.pypirc|\bsecrets?[./]|\bkeychain\b|find-generic-password|\bprivate[_-]?key\b"
    ),
    "restraints": (
        r"llmgenie|\.cursor\b|\.claude\b|\.codex\b|\.gemini\b|\.mcp\.json|\.vscode/mcp|\.windsurf\b|\.devin\b|\.copilot\b|\.husky\b|core\.hookspath|\bhooks(\.json|/)|CLAUDECODE|CLAUDE_CODE|CURSOR_AGENT"
        r"|CURSOR_TRACE_ID|CODEX_|GEMINI_CLI|COPILOT_AGENT|OPENCODE|AI_AGENT|--no-verify"
    ),
    "publish": r"(?<![\w.-])(publish|twine|goreleaser)(?![\w-])|gem push|\bupload\.pypi\b",
}
_COMMANDS = {
    "git": r"(?<![\w.-])(push|commit|rebase|cherry-pick)(?![\w-])",
    "files": (
        r"(?<![\w.-])(rm|rmdir|unlink|shred|del|erase|rd|remove-item|ri|move-item|set-content|add-content|out-file|truncate|tee|dd)"
        r"(?![\w-])"
    ),
}
"""Words that are commands, or parts of them, where one is run."""
_HIDDEN = (
    r"(?i)\b(b64decode|a2b_\w+|fromhex|decodebytes|unhexlify|atob|rot13|zlib|codecs|marshal|__import__|getattr|chr|fromCharCode|pack)\b\s*\(?"
    r"|(?<![.\w])(exec|eval|compile|Function)\s*\(|\bBuffer\.from\(|frombase64string|\biex\b|invoke-expression|-enc(odedcommand)?\b|\[::-1\]"
)
_STARTS = (
    r"\b(system|popen|Popen|spawn\w*|exec\w*|execFile\w*|check_output|check_call|subprocess|child_process|qx|Process\.Start)\b"
    r"|`[^`]+`|%x[\[{(]"
)
_RUNS = (
    r"(?<![A-Za-z])(shell_exec|pcntl_exec|passthru|proc_open|execa|shelljs|zx|pexpect|plumbum|fabric|invoke|paramiko|importlib|pty|PTY)\b"
    r"|(?<![A-Za-z])(create_subprocess|getoutput|getstatusoutput|system2|Open3|shell)|Deno\.Command|System\.cmd|os[.:]cmd|sys\.process"
    r"|\bBun\.|\$`|\bimport\s+sh\b|\brun\(|\bopen\b[^;\n]{0,80}\|"
)
"""What starts programs in other languages too."""
_BUILT = (
    r"['\"]\s*[+.]\s*['\"(\w]|\w\s*\+\s*['\"]|\.join\(|\.format\(|\.replace\(|['\"]\s*%\s*[\w(]|f['\"][^'\"]*\{"
    r"|\$\{|sys\.argv|environ"
)


def _speaks(text: str, pattern: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def touches(text: str) -> list[str]:
    """Which of git, files, secrets, restraints and publish the words of `text` speak of."""
    return [
        name
        for name, pattern in _TOUCHES.items()
        if _speaks(text, pattern) or (name in _COMMANDS and _speaks(text, _COMMANDS[name]))
    ]


def touches_of_code(text: str) -> list[str]:
    """`touches` of a program: "anything" too where it runs what it first puts together or decodes."""
    found = touches(text)
    if re.search(_HIDDEN, text) or (re.search(_STARTS, text) and re.search(_BUILT, text)):
        found.append("anything")
    return found


def touches_of_program(text: str) -> list[str]:
    """`touches_of_code` of code whose plain words are no commands, unless it starts programs."""
    if re.search(_STARTS, text) or re.search(_RUNS, text):
        return touches_of_code(text)
    found = [name for name, pattern in _TOUCHES.items() if _speaks(text, pattern)]
    return [*found, "anything"] if re.search(_HIDDEN, text) else found


_CMDLET = (
    r"(?:^|[\s;|({])(?:Remove|Get|Set|New|Invoke|Start|Stop|Write|Out|Add|Copy|Move|Rename|Test|Clear|Select|Where|ForEach|Import|"
    r"Export|ConvertTo|ConvertFrom|Join|Split|Resolve|Push|Pop|Expand|Compress|Format|Measure|Sort|Wait|Enable|Disable)-[A-Z]\w+"
)
_POWERSHELL = (
    r"[ \t]`[ \t]*\r?\n|\bif\s*\(\s*(\$|Test-|-not\b|!\s*\()|\$env:|\$LASTEXITCODE|\$PSScriptRoot"
    r"|\|\s*%\s*\{|\|\s*\?\s*\{|foreach\s*\(\s*\$"
    r"|^\s*\$\w+\s*=\s|;\s*\$\w+\s*=\s|\[(System|IO)\.|@['\"]\s*\n"
)
_CMD = (
    r"(?i)(?:^|[&|]\s*)(?:(?:del|erase|rd|rmdir|copy|xcopy|move|robocopy|attrib)\s+(?:\S+\s+){0,6}/[a-z]\b|@echo\b|set\s+\w+="
    r"|if\s+(?:not\s+)?exist\b|call\s|for\s+/)"
    r"|%[A-Za-z_]\w*%|(?:^|\s)for\s+%%?\w"
)


def other_shell(text: str) -> str | None:
    """The name of the other shell whose syntax this is: PowerShell, cmd; None when it does not look like either."""
    if re.search(_CMDLET, text) or re.search(_POWERSHELL, text):
        return "PowerShell"
    return "cmd" if re.search(_CMD, text) else None
