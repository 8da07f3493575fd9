//! `docs/settings.md` says what the table of settings says.

use std::fs;

use hexflight::SETTINGS;

use crate::house::repository;

#[test]
fn the_page_of_settings_is_what_the_table_says() {
    let path = repository().join("docs/settings.md");
    let page = fs::read_to_string(&path).unwrap();
    let head = page.split_inclusive("|---|---|---|---|\n").next().unwrap();
    let rows = SETTINGS.iter().map(|setting| {
        let (flag, variable) = (setting.flag(), setting.key.to_ascii_uppercase());
        let value = if setting.value.is_empty() { String::new() } else { format!(" {}", setting.value) };
        let default = if setting.default.is_empty() {
            setting.unset.to_owned()
        } else {
            format!("`{}`", setting.default)
        };
        format!("| `--{flag}{value}` | `HEXFLIGHT_{variable}` | {default} | {} |\n", setting.meaning)
    });
    let expected = format!("{head}{}", rows.collect::<String>());
    if std::env::var_os("HEXFLIGHT_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert_eq!(page, expected, "docs/settings.md: write it anew with HEXFLIGHT_WRITE_DOCS=1");
}
