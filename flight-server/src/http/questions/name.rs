//! Names of metrics and devices: the texts that an event can have.

use super::query_string::missing;
use crate::status::Problem;

/// Longest name of a device or a metric that an event can have. **Units**: bytes.
const NAME_BYTES_MAX: usize = 256;

/// The metric, from either of its names; `main` is the one that the question documents first.
pub(super) fn metric(
    main: (&str, Option<String>),
    synonym: (&str, Option<String>),
) -> Result<String, Problem> {
    match (main, synonym) {
        ((name, Some(_)), (other, Some(text))) => Err(Problem::parameter(
            other,
            &text,
            &format!("{name} is given as well and says the same; give one"),
        )),
        ((name, Some(text)), _) | (_, (name, Some(text))) => checked(name, text),
        ((name, None), (other, None)) => {
            Err(missing(name, &format!("say which metric, for example {name}=temperature (or {other}=…)")))
        }
    }
}

/// A name that an event can have.
pub(super) fn checked(name: &str, text: String) -> Result<String, Problem> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        let rule = format!("must have 1 to {NAME_BYTES_MAX} bytes, has {}", text.len());
        return Err(Problem::parameter(name, &text, &rule));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_one_name_of_1_to_256_bytes() {
        let text = |text: &str| Some(text.to_owned());
        let of = |main, synonym| metric(("metric_name", main), ("type", synonym));
        assert_eq!(of(text("a"), None), Ok("a".to_owned()));
        assert_eq!(of(None, text("a")), Ok("a".to_owned()));
        assert!(of(text("a"), text("a")).is_err());
        assert!(of(None, None).is_err());
        assert!(of(text(""), None).is_err());
        assert!(of(text(&"x".repeat(256)), None).is_ok());
        assert!(of(text(&"x".repeat(257)), None).is_err());
    }
}
