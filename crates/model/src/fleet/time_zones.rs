//! The time zones of the regions of AWS, Google Cloud and Azure.

use std::collections::BTreeMap;

use chrono_tz::Tz;

/// The time zone of `region`: the one that `given` names for it; else that of the AWS, Google Cloud or
/// Azure region of this name; else the time zone of this name (`Europe/Paris`); else none.
pub fn of_region(region: &str, given: &BTreeMap<String, String>) -> Option<Tz> {
    let named = |name: &str| name.parse().ok();
    if let Some(name) = given.get(region) {
        return named(name);
    }
    let built_in = KNOWN.iter().find(|(_, regions)| regions.contains(&region));
    built_in.map_or_else(|| named(region), |(zone, _)| Some(*zone))
}

/// Regions by time zone, from the locations in the providers' documentation.
const KNOWN: &[(Tz, &[&str])] = &[
    (
        Tz::America__New_York,
        &["us-east-1", "us-east4", "us-east5", "us-east-4", "eastus", "eastus2", "us-gov-east-1"],
    ),
    (Tz::America__New_York, &["us-east-2", "us-east1"]),
    (Tz::America__Chicago, &["us-central1", "us-south1", "centralus", "southcentralus"]),
    (Tz::America__Chicago, &["northcentralus"]),
    (Tz::America__Denver, &["us-west3", "westcentralus"]),
    (Tz::America__Phoenix, &["westus3"]),
    (
        Tz::America__Los_Angeles,
        &["us-west-1", "us-west-2", "us-west1", "us-west2", "us-west4", "us-gov-west-1", "westus"],
    ),
    (Tz::America__Los_Angeles, &["westus2"]),
    (Tz::America__Toronto, &["ca-central-1", "northamerica-northeast1", "canadacentral"]),
    (Tz::America__Toronto, &["northamerica-northeast2", "canadaeast"]),
    (Tz::America__Edmonton, &["ca-west-1"]),
    (Tz::America__Mexico_City, &["mx-central-1", "northamerica-south1", "mexicocentral"]),
    (Tz::America__Sao_Paulo, &["sa-east-1", "southamerica-east1", "brazilsouth"]),
    (Tz::America__Santiago, &["southamerica-west1"]),
    (Tz::Europe__Dublin, &["eu-west-1", "northeurope"]),
    (Tz::Europe__London, &["eu-west-2", "europe-west2", "uksouth", "ukwest"]),
    (Tz::Europe__Paris, &["eu-west-3", "europe-west9", "francecentral"]),
    (Tz::Europe__Berlin, &["eu-central-1", "europe-west3", "europe-west10", "germanywestcentral"]),
    (Tz::Europe__Zurich, &["eu-central-2", "europe-west6", "switzerlandnorth"]),
    (Tz::Europe__Stockholm, &["eu-north-1", "europe-north2", "swedencentral"]),
    (Tz::Europe__Helsinki, &["europe-north1"]),
    (Tz::Europe__Oslo, &["norwayeast"]),
    (Tz::Europe__Rome, &["eu-south-1", "europe-west8", "europe-west12", "italynorth"]),
    (Tz::Europe__Madrid, &["eu-south-2", "europe-southwest1", "spaincentral"]),
    (Tz::Europe__Brussels, &["europe-west1"]),
    (Tz::Europe__Amsterdam, &["europe-west4", "westeurope"]),
    (Tz::Europe__Warsaw, &["europe-central2", "polandcentral"]),
    (Tz::Asia__Jerusalem, &["il-central-1", "me-west1", "israelcentral"]),
    (Tz::Asia__Bahrain, &["me-south-1"]),
    (Tz::Asia__Qatar, &["me-central1", "qatarcentral"]),
    (Tz::Asia__Dubai, &["me-central-1", "uaenorth"]),
    (Tz::Asia__Riyadh, &["me-central2"]),
    (Tz::Africa__Johannesburg, &["af-south-1", "africa-south1", "southafricanorth"]),
    (Tz::Asia__Kolkata, &["ap-south-1", "ap-south-2", "asia-south1", "asia-south2"]),
    (Tz::Asia__Kolkata, &["centralindia", "southindia", "westindia"]),
    (Tz::Asia__Singapore, &["ap-southeast-1", "asia-southeast1", "southeastasia"]),
    (Tz::Asia__Jakarta, &["ap-southeast-3", "asia-southeast2"]),
    (Tz::Asia__Kuala_Lumpur, &["ap-southeast-5"]),
    (Tz::Asia__Bangkok, &["ap-southeast-7"]),
    (Tz::Asia__Hong_Kong, &["ap-east-1", "asia-east2", "eastasia"]),
    (Tz::Asia__Taipei, &["ap-east-2", "asia-east1"]),
    (Tz::Asia__Shanghai, &["cn-north-1", "cn-northwest-1", "chinanorth", "chinaeast"]),
    (Tz::Asia__Seoul, &["ap-northeast-2", "asia-northeast3", "koreacentral"]),
    (Tz::Asia__Tokyo, &["ap-northeast-1", "asia-northeast1", "japaneast"]),
    (Tz::Asia__Tokyo, &["ap-northeast-3", "asia-northeast2", "japanwest"]),
    (Tz::Australia__Sydney, &["ap-southeast-2", "australia-southeast1", "australiaeast"]),
    (Tz::Australia__Melbourne, &["ap-southeast-4", "australia-southeast2"]),
    (Tz::Australia__Melbourne, &["australiasoutheast"]),
    (Tz::Pacific__Auckland, &["ap-southeast-6", "newzealandnorth"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_the_seed_are_known_and_each_region_is_listed_once() {
        let none = BTreeMap::new();
        for (region, zone) in [
            ("us-east-1", Tz::America__New_York),
            ("us-west-2", Tz::America__Los_Angeles),
            ("eu-west-1", Tz::Europe__Dublin),
            ("ap-northeast-1", Tz::Asia__Tokyo),
        ] {
            assert_eq!(of_region(region, &none), Some(zone));
        }
        let mut seen = std::collections::BTreeSet::new();
        assert!(KNOWN.iter().flat_map(|(_, regions)| *regions).all(|region| seen.insert(region)));
    }

    #[test]
    fn the_configuration_comes_first_and_a_time_zone_names_itself() {
        let given = [("us-east-1".to_owned(), "Asia/Tokyo".to_owned())].into();
        assert_eq!(of_region("us-east-1", &given), Some(Tz::Asia__Tokyo));
        assert_eq!(of_region("Europe/Paris", &given), Some(Tz::Europe__Paris));
        assert_eq!(of_region("mars-1", &given), None);
    }
}
