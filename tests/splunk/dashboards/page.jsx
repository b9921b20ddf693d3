// One dashboard, drawn by Splunk's own components with Splunk's own view-only preset, unchanged: its data
// sources ask the REST endpoints of splunkd, which splunkd.py answers. window.esatls comes from the page.
import React from 'react';
import { createRoot } from 'react-dom/client';
import SplunkThemeProvider from '@splunk/themes/SplunkThemeProvider';
import DashboardCore from '@splunk/dashboard-core';
import { DashboardContextProvider } from '@splunk/dashboard-context';
import preset from '@splunk/dashboard-presets/EnterpriseViewOnlyPreset';
import { migrateToTabsLayout } from '@splunk/dashboard-utils';

const { definition, theme } = window.esatls;

// Splunk Web turns ?form.<token>=<value> of the address into tokens; nothing in the packages does.
const tokens = {};
for (const [name, value] of new URLSearchParams(window.location.search)) {
    if (name.startsWith('form.')) tokens[name.slice('form.'.length)] = value;
}

createRoot(document.getElementById('root')).render(
    <SplunkThemeProvider family="enterprise" colorScheme={theme} density="comfortable">
        <DashboardContextProvider
            preset={preset}
            initialDefinition={migrateToTabsLayout({ definition }).definition}
            initialTokenBinding={{ default: tokens }}
        >
            <DashboardCore width="100%" height="100%" />
        </DashboardContextProvider>
    </SplunkThemeProvider>
);
