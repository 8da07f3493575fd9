//! `Area`: a place that a query asks for; `Areas`: several, all of which it asks for.

use super::{CellCover, GeoBox, GeoCircle, Rectangle, Relation, cover, position, rectangle::Cap};

/// What comparisons of latitude and longitude with constants say together, or one circle.
#[derive(Debug, Clone)]
pub(crate) enum Area {
    /// Comparisons.
    Box(GeoBox),
    /// `geo_within_radius` with constants.
    Circle(GeoCircle),
}

impl Area {
    /// Exactly what the SQL predicate says of a position that ingest takes, bit for bit.
    pub(crate) fn contains(&self, latitude: f64, longitude: f64) -> bool {
        match self {
            Self::Box(bounds) => bounds.contains(latitude, longitude),
            Self::Circle(circle) => {
                position(latitude, longitude).is_ok_and(|position| circle.contains(position))
            }
        }
    }

    /// How the points of a rectangle lie to the area.
    pub(crate) fn relate(&self, rectangle: &Rectangle) -> Relation {
        match self {
            Self::Box(bounds) => bounds.relate(rectangle),
            Self::Circle(circle) => circle.relate(rectangle),
        }
    }

    fn relate_cap(&self, cap: &Cap) -> Relation {
        match self {
            Self::Box(bounds) => {
                let (rectangle, beyond) = cap.rectangles();
                let relation = bounds.relate(&rectangle);
                beyond.map_or(relation, |beyond| relation.with(bounds.relate(&beyond)))
            }
            Self::Circle(circle) => circle.relate_cap(cap),
        }
    }
}

/// All there is.
const WORLD: Rectangle = Rectangle { south: -90.0, north: 90.0, west: -180.0, east: 180.0 };

/// The intersection of areas; of none, the whole world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Areas {
    list: Vec<Area>,
    /// Whether every position is surely in all of them.
    are_world: bool,
}

impl Areas {
    pub(crate) fn new(list: Vec<Area>) -> Self {
        let are_world = list.iter().all(|area| area.relate(&WORLD) == Relation::Interior);
        Self { list, are_world }
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a position is in all of them.
    pub(crate) fn contains(&self, latitude: f64, longitude: f64) -> bool {
        self.list.iter().all(|area| area.contains(latitude, longitude))
    }

    /// The same as one rectangle, if they are one: asking it costs four comparisons.
    pub(crate) fn rectangle(&self) -> Option<Rectangle> {
        match self.list.as_slice() {
            [Area::Box(only)] => only.rectangle(),
            _ => None,
        }
    }

    /// How the points of a rectangle lie to the intersection.
    pub(crate) fn relate(&self, rectangle: &Rectangle) -> Relation {
        if self.are_world {
            return Relation::Interior;
        }
        self.list.iter().map(|area| area.relate(rectangle)).fold(Relation::Interior, Relation::and)
    }

    /// How the points of a cap lie to the intersection.
    pub(super) fn relate_cap(&self, cap: &Cap) -> Relation {
        self.list.iter().map(|area| area.relate_cap(cap)).fold(Relation::Interior, Relation::and)
    }

    /// The cells of a resolution that can hold a position of the intersection, in at most `ranges_max` ranges.
    pub(crate) fn cover(&self, resolution: h3o::Resolution, ranges_max: usize) -> CellCover {
        cover::cover(self, resolution, ranges_max)
    }
}
