//! Asks for a password: without showing it on a terminal, and as the first line of anything else.

use std::io::{self, BufRead, IsTerminal, Read as _};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use crate::console;

/// Longest password. **Units**: bytes.
const PASSWORD_BYTES_MAX: u64 = 1 << 10;

/// Keys of a terminal that does nothing by itself.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: [u8; 2] = [8, 127];

/// Asks for the password of a user, twice on a terminal.
///
/// # Errors
/// What the system said; two passwords that differ.
pub(super) fn ask_password(user: &str) -> io::Result<String> {
    if !io::stdin().is_terminal() {
        return first_line();
    }
    let password = ask_unseen(&format!("Password of {user}: "))?;
    if ask_unseen("Once more: ")? != password {
        return Err(io::Error::other("the two passwords differ"));
    }
    Ok(password)
}

fn first_line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(PASSWORD_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask_unseen(question: &str) -> io::Result<String> {
    console::prompt(question);
    enable_raw_mode()?;
    let typed = typed_line(&mut io::stdin().lock());
    disable_raw_mode()?;
    console::note("");
    typed
}

fn typed_line(keys: &mut impl BufRead) -> io::Result<String> {
    let mut typed = Vec::new();
    for key in keys.bytes().take(usize::try_from(PASSWORD_BYTES_MAX).unwrap_or(usize::MAX)) {
        match key? {
            b'\r' | b'\n' | CTRL_D => break,
            CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
            key if BACKSPACE.contains(&key) => without_last_letter(&mut typed),
            key => typed.push(key),
        }
    }
    String::from_utf8(typed).map_err(|_| io::Error::other("the password is not UTF-8"))
}

/// A letter is one byte, or several of which only the first does not begin with the bits 10.
fn without_last_letter(typed: &mut Vec<u8>) {
    while typed.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_a_terminal_would() {
        assert_eq!(typed_line(&mut &b"secret\rmore"[..]).unwrap(), "secret");
        assert_eq!(typed_line(&mut "sp\u{e4}\u{7f}aet\u{e9}\u{8}\u{8}\n".as_bytes()).unwrap(), "spae");
        assert_eq!(typed_line(&mut &b"\x7fa\x7f\x7fb\x04"[..]).unwrap(), "b");
        assert_eq!(typed_line(&mut &b"ab\x03"[..]).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
