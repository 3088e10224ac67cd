#include "resources/schedule/time_zone_name.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

struct Area {
  absl::string_view name;
  // Separated by spaces.
  absl::string_view cities;
};

// Only for suggestions: what is known is what the system's database holds.
constexpr Area kAreas[] = {
    {"Africa",
     "Abidjan Accra Addis_Ababa Algiers Asmara Bamako Bangui Banjul Bissau Blantyre "
     "Brazzaville Bujumbura Cairo Casablanca Ceuta Conakry Dakar Dar_es_Salaam Djibouti Douala "
     "El_Aaiun Freetown Gaborone Harare Johannesburg Juba Kampala Khartoum Kigali Kinshasa "
     "Lagos Libreville Lome Luanda Lubumbashi Lusaka Malabo Maputo Maseru Mbabane Mogadishu "
     "Monrovia Nairobi Ndjamena Niamey Nouakchott Ouagadougou Porto-Novo Sao_Tome Tripoli "
     "Tunis Windhoek"},
    {"America",
     "Adak Anchorage Anguilla Antigua Araguaina Argentina/Buenos_Aires Argentina/Catamarca "
     "Argentina/Cordoba Argentina/Jujuy Argentina/La_Rioja Argentina/Mendoza "
     "Argentina/Rio_Gallegos Argentina/Salta Argentina/San_Juan Argentina/San_Luis "
     "Argentina/Tucuman Argentina/Ushuaia Aruba Asuncion Atikokan Bahia Bahia_Banderas "
     "Barbados Belem Belize Blanc-Sablon Boa_Vista Bogota Boise Cambridge_Bay Campo_Grande "
     "Cancun Caracas Cayenne Cayman Chicago Chihuahua Ciudad_Juarez Costa_Rica Coyhaique "
     "Creston Cuiaba Curacao Danmarkshavn Dawson Dawson_Creek Denver Detroit Dominica Edmonton "
     "Eirunepe El_Salvador Fort_Nelson Fortaleza Glace_Bay Goose_Bay Grand_Turk Grenada "
     "Guadeloupe Guatemala Guayaquil Guyana Halifax Havana Hermosillo Indiana/Indianapolis "
     "Indiana/Knox Indiana/Marengo Indiana/Petersburg Indiana/Tell_City Indiana/Vevay "
     "Indiana/Vincennes Indiana/Winamac Inuvik Iqaluit Jamaica Juneau Kentucky/Louisville "
     "Kentucky/Monticello Kralendijk La_Paz Lima Los_Angeles Lower_Princes Maceio Managua "
     "Manaus Marigot Martinique Matamoros Mazatlan Menominee Merida Metlakatla Mexico_City "
     "Miquelon Moncton Monterrey Montevideo Montserrat Nassau New_York Nome Noronha "
     "North_Dakota/Beulah North_Dakota/Center North_Dakota/New_Salem Nuuk Ojinaga Panama "
     "Paramaribo Phoenix Port-au-Prince Port_of_Spain Porto_Velho Puerto_Rico Punta_Arenas "
     "Rankin_Inlet Recife Regina Resolute Rio_Branco Santarem Santiago Santo_Domingo Sao_Paulo "
     "Scoresbysund Sitka St_Barthelemy St_Johns St_Kitts St_Lucia St_Thomas St_Vincent "
     "Swift_Current Tegucigalpa Thule Tijuana Toronto Tortola Vancouver Whitehorse Winnipeg "
     "Yakutat"},
    {"Antarctica",
     "Casey Davis DumontDUrville Macquarie Mawson McMurdo Palmer Rothera Syowa Troll Vostok"},
    {"Arctic", "Longyearbyen"},
    {"Asia",
     "Aden Almaty Amman Anadyr Aqtau Aqtobe Ashgabat Atyrau Baghdad Bahrain Baku Bangkok "
     "Barnaul Beirut Bishkek Brunei Chita Colombo Damascus Dhaka Dili Dubai Dushanbe Famagusta "
     "Gaza Hebron Ho_Chi_Minh Hong_Kong Hovd Irkutsk Jakarta Jayapura Jerusalem Kabul "
     "Kamchatka Karachi Kathmandu Khandyga Kolkata Krasnoyarsk Kuala_Lumpur Kuching Kuwait "
     "Macau Magadan Makassar Manila Muscat Nicosia Novokuznetsk Novosibirsk Omsk Oral "
     "Phnom_Penh Pontianak Pyongyang Qatar Qostanay Qyzylorda Riyadh Sakhalin Samarkand Seoul "
     "Shanghai Singapore Srednekolymsk Taipei Tashkent Tbilisi Tehran Thimphu Tokyo Tomsk "
     "Ulaanbaatar Urumqi Ust-Nera Vientiane Vladivostok Yakutsk Yangon Yekaterinburg Yerevan"},
    {"Atlantic",
     "Azores Bermuda Canary Cape_Verde Faroe Madeira Reykjavik South_Georgia St_Helena Stanley"},
    {"Australia",
     "Adelaide Brisbane Broken_Hill Darwin Eucla Hobart Lindeman Lord_Howe Melbourne Perth "
     "Sydney"},
    {"Europe",
     "Amsterdam Andorra Astrakhan Athens Belgrade Berlin Bratislava Brussels Bucharest "
     "Budapest Busingen Chisinau Copenhagen Dublin Gibraltar Guernsey Helsinki Isle_of_Man "
     "Istanbul Jersey Kaliningrad Kirov Kyiv Lisbon Ljubljana London Luxembourg Madrid Malta "
     "Mariehamn Minsk Monaco Moscow Oslo Paris Podgorica Prague Riga Rome Samara San_Marino "
     "Sarajevo Saratov Simferopol Skopje Sofia Stockholm Tallinn Tirane Ulyanovsk Vaduz "
     "Vatican Vienna Vilnius Volgograd Warsaw Zagreb Zurich"},
    {"Indian",
     "Antananarivo Chagos Christmas Cocos Comoro Kerguelen Mahe Maldives Mauritius Mayotte "
     "Reunion"},
    {"Pacific",
     "Apia Auckland Bougainville Chatham Chuuk Easter Efate Fakaofo Fiji Funafuti Galapagos "
     "Gambier Guadalcanal Guam Honolulu Kanton Kiritimati Kosrae Kwajalein Majuro Marquesas "
     "Midway Nauru Niue Norfolk Noumea Pago_Pago Palau Pitcairn Pohnpei Port_Moresby Rarotonga "
     "Saipan Tahiti Tarawa Tongatapu Wake Wallis"},
};

std::vector<std::string> AllNames() {
  std::vector<std::string> names = {"UTC"};
  for (const Area& area : kAreas) {
    for (const absl::string_view city : absl::StrSplit(area.cities, ' ')) {
      names.push_back(absl::StrCat(area.name, "/", city));
    }
  }
  return names;
}

// The database has more files than zones: paths, and copies that count leap seconds.
bool IsZoneName(absl::string_view name) {
  for (const char c : name) {
    const bool allowed = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '/' ||
                         c == '_' || c == '+' || c == '-';
    if (!allowed) return false;
  }
  return !name.empty() && name.front() != '/' && name != "localtime" &&
         !absl::StartsWith(name, "right/") && !absl::StartsWith(name, "posix/") &&
         !absl::StartsWith(name, "Fixed/");
}

}  // namespace

absl::StatusOr<absl::TimeZone> FindTimeZone(absl::string_view name) {
  absl::TimeZone zone;
  if (IsZoneName(name) && absl::LoadTimeZone(name, &zone)) return zone;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown time zone \"", name, "\"; ", SuggestTimeZone(name)));
}

std::string SuggestTimeZone(absl::string_view name) {
  absl::TimeZone any;
  if (!absl::LoadTimeZone("Europe/Berlin", &any)) {
    return "this machine has no time zone database: install the package tzdata";
  }
  const std::string folded = absl::StrReplaceAll(name, {{" ", "_"}});
  const std::vector<std::string> names = AllNames();
  for (const std::string& known : names) {
    if (absl::EqualsIgnoreCase(known, folded) ||
        absl::EndsWithIgnoreCase(known, absl::StrCat("/", folded))) {
      return absl::StrCat("did you mean \"", known, "\"?");
    }
  }
  const std::string suggestion = DidYouMean(folded, names);
  return suggestion.empty() ? "name it as in \"Europe/Berlin\" or \"UTC\"" : suggestion;
}

}  // namespace fairlead::resources
