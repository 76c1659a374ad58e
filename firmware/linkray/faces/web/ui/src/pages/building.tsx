// Building Management: which systems of the building LinkRay talks to now, and how they read it.

import { Tabbed, type Tab } from "../parts/tabbed";
import { NotThere } from "./payment";

const TABS: readonly Tab[] = [
  { id: "modbus", name: "bms.modbus", show: ModbusTab },
  { id: "mqtt", name: "bms.mqtt", show: MqttTab },
  { id: "home-assistant", name: "bms.home", show: HomeTab },
];

export function Building() {
  return <Tabbed page="building" title="nav.building" label="bms.tabs" tabs={TABS} />;
}

function ModbusTab() {
  return (
    <NotThere
      title="bms.modbus"
      text="bms.no_modbus"
      more="bms.no_modbus_more"
      to="/configuration/meter"
      link="bms.to_meter"
      icon="activity"
    />
  );
}

function MqttTab() {
  return (
    <NotThere
      title="bms.mqtt"
      text="bms.no_mqtt"
      more="bms.by_api"
      to="/apikeys"
      link="bms.to_api"
      icon="key"
    />
  );
}

function HomeTab() {
  return (
    <NotThere
      title="bms.home"
      text="bms.no_home"
      more="bms.by_api"
      to="/apikeys"
      link="bms.to_api"
      icon="key"
    />
  );
}
