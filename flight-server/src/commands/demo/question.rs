//! `Question`: one of the four questions over one window: the SQL that asks it, and the ledger's answer to it.

use chrono::{DateTime, SecondsFormat};

use crate::commands::simulate::{Aggregate, Fleet, GeoBox, Ledger, Metric, TimeSlice};

const SECOND_MICROS: i64 = 1_000_000;

/// Around the centre of Paris.
const PARIS: GeoBox = GeoBox { south: 48.80, west: 2.25, north: 48.92, east: 2.45 };

/// From Auckland and Suva across the antimeridian to Apia and Honolulu.
const PACIFIC: GeoBox = GeoBox { south: -45.0, west: 170.0, north: 30.0, east: -150.0 };

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) subject: Subject,
    pub(super) window: Window,
}

/// What is asked about.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// Count, sum, average, minimum and maximum of a metric.
    Summary(Metric),
    /// Average of a metric of one device.
    DeviceAverage(String, Metric),
    /// The devices with the most events of a metric.
    TopDevices(usize, Metric),
    /// Average of a metric inside a box.
    AreaAverage(&'static str, GeoBox, Metric),
}

/// A window with a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) name: &'static str,
    pub(super) slice: TimeSlice,
}

/// What the answer must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expected {
    /// One row: count, sum, average, smallest, largest.
    Summary(Aggregate),
    /// One row: the average.
    Average(Aggregate),
    /// These rows in this order: device, events.
    Ranking(Vec<(String, u64)>),
}

/// The four questions, each over a few windows that end with the newest event.
pub(super) fn questions(ledger: &Ledger, fleet: &Fleet) -> Vec<Question> {
    // The first whole second that no event has reached.
    let end = ledger.newest_micros().map_or(0, |newest| (newest / SECOND_MICROS + 1) * SECOND_MICROS);
    let last = |name, seconds: i64| {
        let slice = TimeSlice { from_micros: end - seconds * SECOND_MICROS, to_micros: end };
        Window { name, slice }
    };
    let (minute, ten_minutes) = (last("last minute", 60), last("last 10 minutes", 600));
    let always = Window { name: "all time", slice: TimeSlice::ALWAYS };
    let device = fleet.devices().first().map_or(String::new(), |device| device.id.to_string());
    let average = Subject::DeviceAverage(device, Metric::Temperature);
    let paris = Subject::AreaAverage("Paris", PARIS, Metric::Temperature);
    let pacific =
        Subject::AreaAverage("the Pacific, on both sides of the antimeridian", PACIFIC, Metric::Humidity);
    [
        (Subject::Summary(Metric::Temperature), vec![minute, ten_minutes, always]),
        (average, vec![ten_minutes, always]),
        (Subject::TopDevices(5, Metric::Humidity), vec![minute, always]),
        (paris, vec![ten_minutes, always]),
        (pacific, vec![minute, always]),
    ]
    .into_iter()
    .flat_map(|(subject, windows)| {
        windows.into_iter().map(move |window| Question { subject: subject.clone(), window })
    })
    .collect()
}

impl Question {
    /// What it asks, in words.
    pub(super) fn title(&self) -> String {
        let what = match &self.subject {
            Subject::Summary(metric) => format!("1. All about {}", metric.name()),
            Subject::DeviceAverage(device, metric) => {
                format!("2. Average {} of device {device}", metric.name())
            }
            Subject::TopDevices(limit, metric) => {
                format!("3. Top {limit} devices by number of {} events", metric.name())
            }
            Subject::AreaAverage(place, _, metric) => format!("4. Average {} in {place}", metric.name()),
        };
        format!("{what}, {}", self.window.name)
    }

    /// The statement that asks it.
    pub(super) fn sql(&self) -> String {
        let (columns, metric, more, tail) = match &self.subject {
            Subject::Summary(metric) => {
                let columns = "count(*) AS events, sum(value) AS sum, avg(value) AS average, min(value) AS min, max(value) AS max";
                (columns, metric, String::new(), String::new())
            }
            Subject::DeviceAverage(device, metric) => {
                ("avg(value) AS average", metric, format!("\n  AND device_id = '{device}'"), String::new())
            }
            Subject::TopDevices(limit, metric) => {
                let tail = format!("\nGROUP BY device_id\nORDER BY events DESC, device_id\nLIMIT {limit}");
                ("device_id, count(*) AS events", metric, String::new(), tail)
            }
            Subject::AreaAverage(_, area, metric) => {
                ("avg(value) AS average", metric, area_sql(area), String::new())
            }
        };
        let window = window_sql(self.window.slice);
        format!("SELECT {columns}\nFROM events\nWHERE type = '{}'{more}{window}{tail}", metric.name())
    }

    /// The ledger's answer.
    pub(super) fn expected(&self, ledger: &Ledger) -> Expected {
        let slice = self.window.slice;
        match &self.subject {
            Subject::Summary(metric) => Expected::Summary(ledger.aggregate(*metric, slice)),
            Subject::DeviceAverage(device, metric) => {
                Expected::Average(ledger.device_aggregate(device, *metric, slice))
            }
            Subject::TopDevices(limit, metric) => {
                Expected::Ranking(ledger.top_devices(*metric, slice, *limit))
            }
            Subject::AreaAverage(_, area, metric) => {
                Expected::Average(ledger.box_aggregate(*metric, area, slice))
            }
        }
    }
}

fn window_sql(slice: TimeSlice) -> String {
    let mut text = String::new();
    if slice.from_micros > i64::MIN {
        text.push_str(&format!("\n  AND timestamp >= '{}'", time_text(slice.from_micros)));
    }
    if slice.to_micros < i64::MAX {
        text.push_str(&format!("\n  AND timestamp < '{}'", time_text(slice.to_micros)));
    }
    text
}

/// A box across the antimeridian is two ranges of longitude.
fn area_sql(area: &GeoBox) -> String {
    let latitudes = format!("\n  AND latitude BETWEEN {} AND {}", area.south, area.north);
    if area.west <= area.east {
        format!("{latitudes}\n  AND longitude BETWEEN {} AND {}", area.west, area.east)
    } else {
        format!("{latitudes}\n  AND (longitude >= {} OR longitude <= {})", area.west, area.east)
    }
}

fn time_text(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_boxes_are_spelled_out() {
        let pacific = GeoBox { south: -25.5, west: 170.0, north: 25.0, east: -150.0 };
        let minute = TimeSlice { from_micros: 1_767_268_800_000_000, to_micros: 1_767_268_860_000_000 };
        let question = Question {
            subject: Subject::AreaAverage("the Pacific", pacific, Metric::Humidity),
            window: Window { name: "last minute", slice: minute },
        };

        assert_eq!(question.title(), "4. Average humidity in the Pacific, last minute");
        assert_eq!(
            question.sql(),
            "SELECT avg(value) AS average\nFROM events\nWHERE type = 'humidity'\
             \n  AND latitude BETWEEN -25.5 AND 25\n  AND (longitude >= 170 OR longitude <= -150)\
             \n  AND timestamp >= '2026-01-01T12:00:00Z'\n  AND timestamp < '2026-01-01T12:01:00Z'"
        );
    }

    #[test]
    fn all_of_time_needs_no_condition() {
        let question = Question {
            subject: Subject::TopDevices(3, Metric::Speed),
            window: Window { name: "all time", slice: TimeSlice::ALWAYS },
        };
        assert!(!question.sql().contains("timestamp"), "{}", question.sql());
        assert!(question.sql().ends_with("ORDER BY events DESC, device_id\nLIMIT 3"));
    }
}
