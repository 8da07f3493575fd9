//! `GetXdbcTypeInfo`: the SQL types that columns and results have.

use std::sync::LazyLock;

use arrow_flight::{
    error::FlightError,
    sql::{
        Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode,
        metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder},
    },
};

/// The answers, built once.
pub(super) fn data() -> Result<&'static XdbcTypeInfoData, FlightError> {
    static DATA: LazyLock<Option<XdbcTypeInfoData>> = LazyLock::new(|| build().ok());
    DATA.as_ref().ok_or_else(|| FlightError::protocol("the type table cannot be built"))
}

fn build() -> Result<XdbcTypeInfoData, FlightError> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    types.append(XdbcTypeInfo { column_size: Some(1), ..plain("BOOLEAN", XdbcDataType::XdbcBit) });
    types.append(number("INT", XdbcDataType::XdbcInteger, 10));
    types.append(number("BIGINT", XdbcDataType::XdbcBigint, 19));
    types.append(number("REAL", XdbcDataType::XdbcReal, 7));
    types.append(number("DOUBLE", XdbcDataType::XdbcDouble, 15));
    types.append(number("DECIMAL", XdbcDataType::XdbcDecimal, 38));
    types.append(quoted("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX));
    types.append(XdbcTypeInfo {
        sql_data_type: XdbcDataType::XdbcDatetime,
        // 1 stands for YEAR and for DATE; the generated names keep the first.
        datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeYear),
        ..quoted("DATE", XdbcDataType::XdbcDate, 10)
    });
    types.append(XdbcTypeInfo {
        sql_data_type: XdbcDataType::XdbcDatetime,
        datetime_subcode: Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
        minimum_scale: Some(0),
        maximum_scale: Some(9),
        ..quoted("TIMESTAMP", XdbcDataType::XdbcTimestamp, 29)
    });
    types.build()
}

fn plain(name: &str, data_type: XdbcDataType) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        sql_data_type: data_type,
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        ..XdbcTypeInfo::default()
    }
}

fn number(name: &str, data_type: XdbcDataType, digits: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        column_size: Some(digits),
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        num_prec_radix: Some(10),
        ..plain(name, data_type)
    }
}

fn quoted(name: &str, data_type: XdbcDataType, size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        column_size: Some(size),
        literal_prefix: Some("'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        case_sensitive: true,
        ..plain(name, data_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_built_and_can_be_filtered() {
        assert_eq!(data().unwrap().record_batch(None).unwrap().num_rows(), 9);
        let one = data().unwrap().record_batch(XdbcDataType::XdbcDouble as i32).unwrap();
        assert_eq!(one.num_rows(), 1);
    }
}
