//! `timezone(zone, moment)`, which is what `moment AT TIME ZONE zone` is planned as. As in PostgreSQL a moment with a time zone
//! becomes what clocks show in that zone, a moment without one; and what clocks show becomes a moment.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondArray, timezone::Tz},
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
};
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone};
use datafusion::{
    common::{ScalarValue, exec_datafusion_err, exec_err, plan_err},
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

/// The name of the function.
pub(crate) const TIMEZONE: &str = "timezone";

/// In this span every change of an offset is at a full quarter of an hour. **Units**: quarters of an hour since 1970.
const REGULAR: std::ops::Range<i64> = 105_120..4_000_000;

const QUARTER_MICROS: i64 = 900_000_000;

/// The function, to be registered.
pub(super) fn udf() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(AtTimeZone {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    signature: Signature,
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &'static str {
        TIMEZONE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Text and dates are moments of the session's zone, which is UTC.
    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [zone, moment] = arguments else {
            return plan_err!(
                "timezone takes a time zone and a timestamp, found {} arguments",
                arguments.len()
            );
        };
        if !zone.is_string() && !zone.is_null() {
            return plan_err!("AT TIME ZONE takes the name of a zone, found {zone}");
        }
        let zone = match moment {
            DataType::Timestamp(_, None) => None,
            DataType::Timestamp(_, Some(_)) | DataType::Date32 | DataType::Date64 | DataType::Null => {
                Some(utc())
            }
            text if text.is_string() => Some(utc()),
            other => return plan_err!("AT TIME ZONE takes a timestamp, found {other}"),
        };
        Ok(vec![DataType::Utf8, DataType::Timestamp(TimeUnit::Microsecond, zone)])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [_, DataType::Timestamp(_, None)] => Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(utc()))),
            _ => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [zone, moments] = args.args.as_slice() else { return exec_err!("timezone takes two arguments") };
        let constant = matches!((zone, moments), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let array = moments.to_array(if constant { 1 } else { args.number_rows })?;
        let moments = array.as_primitive::<TimestampMicrosecondType>();
        let to_local = !matches!(moments.data_type(), DataType::Timestamp(_, None));
        let converted: TimestampMicrosecondArray = match zone {
            ColumnarValue::Scalar(zone) => match zone.try_as_str().flatten() {
                Some(zone) => convert_all(&mut Clock::new(zone)?, moments, to_local)?,
                None => TimestampMicrosecondArray::new_null(moments.len()),
            },
            ColumnarValue::Array(zones) => convert_each(zones.as_string::<i32>(), moments, to_local)?,
        };
        let converted: ArrayRef = match args.return_field.data_type() {
            DataType::Timestamp(_, zone) => Arc::new(converted.with_timezone_opt(zone.clone())),
            other => return exec_err!("timezone returns a timestamp, not {other}"),
        };
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&converted, 0)?)
        } else {
            ColumnarValue::Array(converted)
        })
    }
}

fn utc() -> Arc<str> {
    Arc::from("UTC")
}

fn convert_all(
    clock: &mut Clock,
    moments: &TimestampMicrosecondArray,
    to_local: bool,
) -> Result<TimestampMicrosecondArray> {
    moments.iter().map(|moment| moment.map(|moment| clock.convert(moment, to_local)).transpose()).collect()
}

/// Each row has a zone of its own; neighbours mostly have the same.
fn convert_each(
    zones: &StringArray,
    moments: &TimestampMicrosecondArray,
    to_local: bool,
) -> Result<TimestampMicrosecondArray> {
    let mut known: Option<(&str, Clock)> = None;
    let mut rows = Vec::with_capacity(moments.len());
    for (zone, moment) in zones.iter().zip(moments.iter()) {
        let row = match (&mut known, zone, moment) {
            (Some((name, clock)), Some(zone), Some(moment)) if *name == zone => {
                Some(clock.convert(moment, to_local)?)
            }
            (_, Some(zone), Some(moment)) => {
                let mut clock = Clock::new(zone)?;
                let converted = clock.convert(moment, to_local)?;
                known = Some((zone, clock));
                Some(converted)
            }
            _ => None,
        };
        rows.push(row);
    }
    Ok(rows.into_iter().collect())
}

/// The clocks of one zone, and the offset that they last had.
struct Clock {
    zone: Tz,
    /// A quarter of an hour in UTC and its offset in µs.
    last: Option<(i64, i64)>,
}

impl Clock {
    fn new(name: &str) -> Result<Self> {
        let known = match name.trim() {
            utc if utc.eq_ignore_ascii_case("utc") || utc.eq_ignore_ascii_case("z") => "UTC",
            other => other,
        };
        let zone = known.parse().map_err(|_| {
            exec_datafusion_err!(
                "time zone '{name}' is not known; write a name such as 'Europe/Berlin' or an offset such as '+02:00'"
            )
        })?;
        Ok(Self { zone, last: None })
    }

    fn convert(&mut self, moment: i64, to_local: bool) -> Result<i64> {
        let converted = if to_local {
            self.offset(moment).and_then(|offset| moment.checked_add(offset))
        } else {
            self.moment(moment)
        };
        converted
            .ok_or_else(|| exec_datafusion_err!("timestamp {moment} µs is out of the range of time zones"))
    }

    /// What clocks are ahead of UTC at a moment. **Units**: µs.
    fn offset(&mut self, moment: i64) -> Option<i64> {
        let quarter = moment.div_euclid(QUARTER_MICROS);
        if let Some((known, offset)) = self.last
            && known == quarter
        {
            return Some(offset);
        }
        let at = DateTime::from_timestamp_micros(moment)?.naive_utc();
        let offset = micros(&self.zone.offset_from_utc_datetime(&at));
        if REGULAR.contains(&quarter) {
            self.last = Some((quarter, offset));
        }
        Some(offset)
    }

    /// The moment at which clocks show a time: the later one if there are two, and as if they had not been put forward if there is none.
    fn moment(&self, local: i64) -> Option<i64> {
        let shown = DateTime::from_timestamp_micros(local)?.naive_utc();
        let offset = match self.zone.offset_from_local_datetime(&shown) {
            LocalResult::Single(offset) => offset,
            LocalResult::Ambiguous(_, later) => later,
            LocalResult::None => self.before(shown)?,
        };
        local.checked_sub(micros(&offset))
    }

    fn before(&self, shown: NaiveDateTime) -> Option<<Tz as TimeZone>::Offset> {
        let day_before = shown.checked_sub_signed(Duration::days(1))?;
        self.zone.offset_from_local_datetime(&day_before).earliest()
    }
}

fn micros(offset: &impl Offset) -> i64 {
    i64::from(offset.fix().local_minus_utc()) * 1_000_000
}
