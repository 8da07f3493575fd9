//! Reads the texts of settings into values with units: `2GiB`, `60%`, `10s`, `127.0.0.1:8815`. Every refusal states the rule;
//! the caller adds which setting and where it came from. Never reads the environment itself, save for the machine's memory.

use std::{net::SocketAddr, path::Path, time::Duration};

use hexflight_engine::disk;

/// Assumed when the machine does not tell how much memory it has: 2 GiB.
const MEMORY_FALLBACK_BYTES: u64 = 2 << 30;

/// Reads `512MB`, `64MiB`, `1_000_000`: decimal units are powers of 1000, binary units of 1024.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    const RULE: &str =
        "must be a number of bytes, optionally with a unit: B, kB, MB, GB, TB, KiB, MiB, GiB or TiB";
    let (number, unit) = split_unit(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(RULE.to_owned()),
    };
    scaled(number, factor).ok_or_else(|| RULE.to_owned())
}

/// Reads `60%` of `total`, or an amount as [`parse_bytes`] does.
pub(super) fn parse_memory(text: &str, total: u64) -> Result<u64, String> {
    const RULE: &str = "must be a share of the machine's memory such as 60%, or a size such as 2GiB or 512MB";
    let Some(percent) = text.trim().strip_suffix('%') else {
        return parse_bytes(text).map_err(|_| RULE.to_owned());
    };
    let percent: u64 = percent.trim().parse().map_err(|_| RULE.to_owned())?;
    if percent == 0 || percent > 100 {
        return Err("must be a share from 1% to 100%".to_owned());
    }
    Ok(u64::try_from(u128::from(total) * u128::from(percent) / 100).unwrap_or(u64::MAX))
}

/// Reads `500ms`, `10s`, `5m`, `1h`, `2d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const RULE: &str = "must be a duration with a unit: 500ms, 10s, 5m, 1h or 2d";
    let (number, unit) = split_unit(text);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(RULE.to_owned()),
    };
    scaled(number, millis).map(Duration::from_millis).ok_or_else(|| RULE.to_owned())
}

/// Reads `127.0.0.1:8815`, `[::1]:8815` or `localhost:8815`. Names are not resolved: what is bound must not depend on DNS.
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    const RULE: &str =
        "must be an IP address and a port such as 127.0.0.1:8815 or 0.0.0.0:8815 (port 0: any free one)";
    let text = text.trim();
    let literal = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    literal.parse().map_err(|_| RULE.to_owned())
}

/// Reads a positive whole number; `_` may group digits.
pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    const RULE: &str = "must be a whole number above 0";
    let value: usize = text.trim().replace('_', "").parse().map_err(|_| RULE.to_owned())?;
    if value == 0 { Err(RULE.to_owned()) } else { Ok(value) }
}

/// Reads `true` or `false`.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Memory of the machine or, where that is less, of the cgroup. **Units**: bytes.
pub(super) fn machine_memory() -> u64 {
    let machine = disk::read_text(Path::new("/proc/meminfo")).ok().and_then(|text| meminfo_total(&text));
    let cgroups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let cgroup =
        cgroups.iter().find_map(|path| disk::read_text(Path::new(path)).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(cgroup).min().unwrap_or(MEMORY_FALLBACK_BYTES)
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    (number.trim(), unit.trim())
}

/// `number` × `factor` without floating point: `1.5` × 1024 = 1536. `None` if it is no number, zero or too large.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if fraction.len() > 6 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let denominator = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let total = whole.checked_mul(factor)?.checked_add(part.checked_mul(factor)? / denominator)?;
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_decimal_and_binary_units() {
        assert_eq!(parse_bytes("1000"), Ok(1_000));
        assert_eq!(parse_bytes("512MB"), Ok(512_000_000));
        assert_eq!(parse_bytes("64 MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("1.5KiB"), Ok(1_536));
        for bad in ["", "-1", "0", "5 parsecs", "1e3", "MiB", "99999999999TiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn memory_takes_a_share_or_a_size() {
        assert_eq!(parse_memory("60%", 1_000), Ok(600));
        assert_eq!(parse_memory("2GiB", 1_000), Ok(2 << 30));
        for bad in ["0%", "101%", "sixty%", "x"] {
            assert!(parse_memory(bad, 1_000).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(parse_duration("0.5s"), Ok(Duration::from_millis(500)));
        for bad in ["10", "s", "10 fortnights", "-1s"] {
            assert!(parse_duration(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn addresses_are_literal() {
        assert_eq!(parse_address("localhost:1").map(|a| a.to_string()), Ok("127.0.0.1:1".to_owned()));
        assert!(parse_address("[::1]:8815").is_ok());
        assert!(parse_address("example.org:80").is_err());
        assert!(parse_address("8815").is_err());
    }

    #[test]
    fn meminfo_is_read_in_kib() {
        assert_eq!(meminfo_total("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16_384));
        assert_eq!(meminfo_total("nothing"), None);
    }
}
