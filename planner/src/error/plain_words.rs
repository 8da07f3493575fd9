//! What DataFusion says in words of its own, in words that somebody who writes SQL can act on.

use super::functions::no_such_function;

/// Parts of texts about plans, and what they come from.
const CAUSES: [(&str, &str); 7] = [
    ("Union(Sparse, 0: (\"null\"", JSON),
    ("does not support logical expression", CORRELATED),
    ("OuterReferenceColumn(", CORRELATED),
    ("outer_ref(", CORRELATED),
    ("orrelated subquer", CORRELATED),
    ("orrelated scalar subquer", CORRELATED),
    ("orrelated column", CORRELATED),
];

const CORRELATED: &str = "a subquery that refers to the outer query in this way is not supported; write a JOIN, and where one row of several is wanted, number them with row_number() OVER (PARTITION BY … ORDER BY …) in a subquery and keep number 1";

const JSON: &str = "a value that -> gives is JSON, which is not taken here; write ->> for its text, or cast it, (metadata->'k')::double precision";

/// The sentence for a text, if it is one of those.
pub(super) fn plain_words(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("Invalid function '") {
        let (name, rest) = rest.split_once('\'')?;
        let similar = rest.split_once("Did you mean '").and_then(|(_, rest)| rest.split_once('\''));
        return Some(no_such_function(name, similar.map(|(similar, _)| similar)));
    }
    CAUSES.iter().find(|(part, _)| text.contains(part)).map(|(_, sentence)| (*sentence).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_plans_are_spoken_of_plainly() {
        let text = "Invalid function 'time_bucket'.\nDid you mean 'list_cat'?";
        assert!(plain_words(text).unwrap().contains("write date_bin("));
        let text =
            "Physical plan does not support logical expression OuterReferenceColumn(Field { name: \"x\" })";
        assert!(plain_words(text).unwrap().contains("write a JOIN"));
        assert_eq!(plain_words("division by zero"), None);
    }
}
